"""Figures of merit: functions of (scores or decisions, targets, mask), exact, on the device of their arguments.

    kernels      sorting, selecting and counting, some entries at a time: where the time goes
    cuts         what a cut below each positive predicts: the ground of ranking figures and thresholds
    ranking      average precision, label-ranking average precision, precision at k
    thresholded  precision, recall, F1 (micro, macro, sample), Hamming loss, subset accuracy
    thresholds   the threshold tuned on validation, and one a label, shrunk towards it
    baselines    all zeros, all ones, label prior
    collapse     silent, flood or constant, and from which epoch to which
    signs        scores that are upside down, decided already, or in another order

Everywhere `scores` is float (samples, labels), `targets` 0/1 and `mask` bool of the same shape, False where the target
is unknown: such an entry takes part in nothing, neither as a label that is predicted nor as one that is ranked.
"""
