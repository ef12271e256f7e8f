"""Trackers: who is told of a run's epochs and result, beside its folder, which stays the source of truth.

tracker        what a tracker is, and what it is told of a run
watch          keeps a tracker that fails from failing the run
none, tensorboard    one file a tracker; each is a choice by conf/tracker/NAME.yaml
"""
