"""When a picture that couldn't be fetched is tried again."""

from __future__ import annotations

from consumers.pictures.retry_policy import (
    MAX_MISSES,
    RefusedPictureError,
    RetryDecision,
    decide_retry,
    retry_after_s,
)


def test_t35_a_picture_is_gone_when_its_host_said_so_three_times_days_apart() -> None:
    """T35: 404 and 410."""
    missing = RefusedPictureError("http-404", "missing")
    first, second = decide_retry(missing, 1, 0), decide_retry(missing, 2, 1)
    assert (first.status, first.misses, second.status) == ("due", 1, "due")
    assert min(first.wait_s or 0, second.wait_s or 0) > 20 * 3_600
    assert decide_retry(missing, 3, MAX_MISSES - 1) == RetryDecision("gone", MAX_MISSES, None)


def test_t35_trouble_is_tried_again_ever_more_seldom_and_as_the_host_says() -> None:
    """T35: 429, 5xx, timeouts: jittered backoff, Retry-After."""
    trouble = RefusedPictureError("http-503", "trouble")
    waits = [decide_retry(trouble, tries, 0).wait_s or 0 for tries in (1, 5, 20)]
    assert 50 < waits[0] < 80 < waits[1] < 1_300 < waits[2] < 120_000
    decision = decide_retry(RefusedPictureError("http-429", "trouble", 7_200.0), 1, 0)
    assert decision.status == "due"
    assert (decision.wait_s or 0) >= 7_200
    assert (
        len({decide_retry(RefusedPictureError("x", "trouble"), 3, 0).wait_s for _ in range(9)}) > 1
    )
    assert decide_retry(RefusedPictureError("x", "trouble"), 30, 0) == RetryDecision(
        "failed", 0, None
    )
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_content_that_is_refused_is_tried_again_for_three_days_and_an_address_never() -> None:
    refusal = RefusedPictureError("markup", "content")
    assert decide_retry(refusal, 1, 0).wait_s
    assert decide_retry(refusal, 3, 0) == RetryDecision("failed", 0, None)
    assert decide_retry(RefusedPictureError("address-refused"), 1, 0) == RetryDecision(
        "failed", 0, None
    )


def test_t35_a_host_may_put_a_picture_off_for_a_day_and_no_longer() -> None:
    """T35: a Retry-After of years would be a picture that is never fetched."""
    years = RefusedPictureError("http-503", "trouble", 10.0**8)
    assert decide_retry(years, 1, 0).wait_s == 86_400.0
