-- Run once by PostgreSQL, when its volume is empty.
CREATE DATABASE mlflow;
CREATE DATABASE ledger;
CREATE DATABASE inference_log;
CREATE DATABASE monitoring;
