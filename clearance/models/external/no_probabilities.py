"""The complaint of every format that a model gives something other than the probabilities of two outcomes."""


class NoProbabilitiesError(ValueError):
    """The model in a file gives no probabilities; the message says why."""
