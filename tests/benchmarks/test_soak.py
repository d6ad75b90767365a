import pytest

from benchmarks.soak import Sample, mixture, slope_mb


def test_a_slope_is_that_of_the_second_half() -> None:
    warming = [Sample(n, 100 + n) for n in range(0, 500, 100)]
    flat = [Sample(n, 600.0) for n in range(500, 1000, 100)]
    leaking = [Sample(n, 600 + n / 100) for n in range(500, 1000, 100)]

    assert slope_mb(warming + flat) == 0
    assert slope_mb(warming + leaking) == pytest.approx(10)


def test_one_high_sample_does_not_make_a_slope() -> None:
    samples = [Sample(n, 600.0) for n in range(0, 2000, 100)]
    samples[-3] = Sample(1700, 900.0)

    assert slope_mb(samples) == 0


def test_the_mixture_has_good_and_bad_of_every_kind() -> None:
    kinds = mixture()

    assert {kind.path.partition("?")[0] for kind in kinds} == {
        "/predict",
        "/predict/batch",
        "/explain",
    }
    assert len({(kind.path, kind.content_type, kind.body) for kind in kinds}) > 10
