"""Lists of runs: made from the configuration, spread over processes, tuned, and shown in MLflow."""
