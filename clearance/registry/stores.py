"""MLflow's stores in a database, imported together.

A step that imports this module shares it with every step that is forked from the same process.
"""

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
