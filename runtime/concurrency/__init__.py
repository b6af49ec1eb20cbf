"""One model for many callers: the thread of its passes, and the model that hands its work to it."""
