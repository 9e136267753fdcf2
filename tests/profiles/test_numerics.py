"""The tails of distributions, at values that scipy gives."""

from __future__ import annotations

import pytest

from songbird_widgets.profiles.numerics import chi_squared_quantiles, chi_squared_tail, kolmogorov_tail


@pytest.mark.parametrize(
    ("statistic", "degrees", "tail"),
    [
        (0, 3, 1.0),
        (0.001, 1, 0.9747728793699604),
        (1, 1, 0.317310507862914),
        (10, 3, 0.0185661354630432),
        (3, 10, 0.9814240637778593),
        (700, 600, 0.0028957725318222776),
        (600, 600, 0.4923222111137365),
        (1500, 3, 0.0),
        (60, 3, 5.878230727906921e-13),
    ],
)
def test_chi_squared_tail(statistic, degrees, tail):
    assert chi_squared_tail(statistic, degrees) == pytest.approx(tail, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 6.6349), (9, 21.666), (599, 682.448), (0, 0)])
def test_chi_squared_quantile(degrees, quantile):
    assert float(chi_squared_quantiles(0.99, degrees)) == pytest.approx(quantile, rel=0.04)


# At the limit of many pairs: scipy.special.kolmogorov(t).
@pytest.mark.parametrize(
    ("t", "tail"),
    [
        (0.1, 1.0),
        (0.5, 0.963945243664875),
        (1, 0.269999671677355),
        (1.5, 0.022217962616525),
        (3, 3.045995948942526e-08),
    ],
)
def test_kolmogorov_tail(t, tail):
    assert kolmogorov_tail(t / 1e6, 1e12) == pytest.approx(tail, rel=1e-5)
