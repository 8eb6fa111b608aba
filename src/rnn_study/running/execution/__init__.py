"""Many runs, spread over processes or a cluster, and what is told and shown of them meanwhile."""
