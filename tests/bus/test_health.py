"""When an offer needs a rest, and how it comes back."""

from thorp.bus.health import FAULTS_TO_REST, FIRST_REST, LONGEST_REST, Health


def failed(times: int, now: float = 0.0) -> Health:
    health = Health()
    for _ in range(times):
        health.begin()
        health.bad(now)
    return health


def test_a_few_faults_do_not_bring_a_rest() -> None:
    assert failed(FAULTS_TO_REST - 1).rest_left(0.0) == 0.0


def test_many_faults_bring_a_rest_that_ends() -> None:
    health = failed(FAULTS_TO_REST)
    assert health.rest_left(0.0) == FIRST_REST
    assert health.rest_left(FIRST_REST) == 0.0


def test_after_a_rest_one_call_tries_and_the_others_wait() -> None:
    health = failed(FAULTS_TO_REST)
    health.begin()
    assert health.rest_left(FIRST_REST + 1) > 0
    health.good()
    assert health.rest_left(FIRST_REST + 1) == 0.0


def test_a_failed_try_doubles_the_rest_up_to_a_bound() -> None:
    health, now, rests = failed(FAULTS_TO_REST), 0.0, []
    for _ in range(12):
        now += health.rest_left(now)
        health.begin()
        health.bad(now)
        rests.append(health.rest_left(now))
    assert rests[:3] == [2 * FIRST_REST, 4 * FIRST_REST, 8 * FIRST_REST]
    assert rests[-1] == LONGEST_REST


def test_a_cancelled_try_leaves_the_next_one_free_to_try() -> None:
    health = failed(FAULTS_TO_REST)
    health.begin()
    health.neither()
    assert health.rest_left(FIRST_REST + 1) == 0.0


def test_good_outcomes_push_old_faults_out() -> None:
    health = failed(FAULTS_TO_REST - 1)
    for _ in range(10):
        health.good()
    health.bad(0.0)
    assert health.rest_left(0.0) == 0.0
