"""Engine: how the replicas of a cohort are stepped on each shared batch.

unit        replicas that are stepped together, and the moment of a step
sequential  one replica by itself, the oracle for every other form
arrange     a cohort's replicas -> units
"""
