"""A small SQL agent that learns by reinforcement on a TPC-H database full of temptations."""
