"""The journal, which keeps the results of a run that is not finished."""
