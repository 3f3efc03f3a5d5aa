"""When the steps run and with what supervision: the only room that imports Prefect."""
