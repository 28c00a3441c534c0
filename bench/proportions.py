"""What a user would ask instead of Milepost: a test and an interval for a rate, by SciPy and statsmodels.

They hold for one look, and project nothing. The counts are those of `src/bin/judge.rs`.
"""

import statistics
import time

import numpy as np
import scipy
import statsmodels
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

GOAL = 0.95
VERDICTS = 100_000
# One by one they take so long that fewer have to do; what is shown is the time of each.
FEW = 2_000
ROUNDS = 5

index = np.arange(VERDICTS, dtype=np.int64)
n = 10 + index * 7919 % 9991
successes = n - n * (index * 104_729 % 1500) // 10_000


def one_test_each():
    for s, of in zip(successes[:FEW].tolist(), n[:FEW].tolist()):
        test = binomtest(s, of, GOAL, alternative="greater")
        binomtest(s, of, GOAL, alternative="less")
        test.proportion_ci(0.95)


def one_interval_each():
    for s, of in zip(successes[:FEW].tolist(), n[:FEW].tolist()):
        proportion_confint(s, of, alpha=0.05, method="beta")


def all_intervals_at_once():
    proportion_confint(successes, n, alpha=0.05, method="beta")


def row(what, times, measured):
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        measured()
        seconds.append(time.perf_counter() - begin)
    median = statistics.median(seconds)
    print(f"| {what} | {times} | {median:.3f} s | {median / times * 1e6:.2f} µs |")


scipy_name, statsmodels_name = f"SciPy {scipy.__version__}", f"statsmodels {statsmodels.__version__}"
print("| for one look, without projections | how often | median | for each |\n|---|---:|---:|---:|")
row(f"{scipy_name}: `binomtest` to both sides, and its interval", FEW, one_test_each)
row(f"{statsmodels_name}: `proportion_confint`, exact, one by one", FEW, one_interval_each)
row(f"{statsmodels_name}: `proportion_confint`, exact, of arrays", VERDICTS, all_intervals_at_once)
