"""Trackers: who is told of a run's epochs and result, beside its folder, which stays the source of truth.

A tracker is one file here and one conf/tracker/NAME.yaml that names its class.

    tracker              what a tracker is, and what it is told of a run
    watch                keeps a tracker that fails from failing the run
    none, tensorboard    the trackers
"""
