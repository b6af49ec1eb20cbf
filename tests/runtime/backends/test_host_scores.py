import numpy as np

from biogpt_onnx.runtime.backends.host_scores import HostTokenScores


def test_given_tokens_have_their_log_probabilities_and_the_logits_stay_as_they_are() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 50)).astype(np.float32)
    before = logits.copy()
    rows, tokens = np.array([2, 0, 1, 1]), np.array([0, 49, 7, 7])
    found = HostTokenScores(logits).log_probabilities(rows, tokens)
    normalizer = np.log(np.exp(logits.astype(np.float64)).sum(axis=-1))
    np.testing.assert_allclose(found, logits[rows, tokens] - normalizer[rows], atol=1e-5)
    assert np.array_equal(logits, before)


def test_some_rows_are_those_of_the_whole() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert np.array_equal(HostTokenScores(logits)[1:].logits(), logits[1:])
