"""What `from clearance import ...` offers, for type checkers. `clearance/__init__.py` imports it late."""

from clearance.library import ChampionTenure as ChampionTenure
from clearance.library import DecisionResult as DecisionResult
from clearance.library import PromotionResult as PromotionResult
from clearance.library import candidates as candidates
from clearance.library import check as check
from clearance.library import decide as decide
from clearance.library import history as history
from clearance.library import judge as judge
from clearance.library import load_policy as load_policy
from clearance.library import promote as promote
from clearance.library import retire as retire
from clearance.library import rollback as rollback
from clearance.library import status as status
from clearance.library import verify as verify
from clearance.library import what_if as what_if

__version__: str
__all__: list[str]
