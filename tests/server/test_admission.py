"""Sequences are counted before anything is computed, and given back however a request ends."""

import pytest

from biogpt_onnx.server.admission import Admission
from biogpt_onnx.server.http.errors import ApiError


def test_what_does_not_fit_is_refused_and_what_has_ended_makes_room() -> None:
    admission = Admission(3)
    with admission.admit(2):
        with pytest.raises(ApiError, match="2 of 3 places are taken and 2 are needed") as caught, admission.admit(2):
            pass
        assert (caught.value.status, caught.value.code) == (429, "queue_full")
        assert int(caught.value.headers["Retry-After"]) > 0
        with admission.admit(1):
            assert admission.used == 3
    assert admission.used == 0


def test_a_request_that_fails_gives_its_places_back() -> None:
    admission = Admission(1)
    with pytest.raises(KeyError), admission.admit(1):
        raise KeyError
    assert admission.used == 0


def test_nothing_is_let_in_while_the_server_ends() -> None:
    admission = Admission(1)
    admission.is_draining = True
    with pytest.raises(ApiError, match="shutting down") as caught, admission.admit(1):
        pass
    assert (caught.value.status, caught.value.code) == (503, "draining")
