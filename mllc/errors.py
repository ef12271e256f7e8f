"""The errors that mllc raises on purpose; each text says what was given, what is allowed and what to type.

MllcError           the command line prints it without a traceback and exits with `exit_code`
+-- ConfigError     an override, a config file or a combination of settings
+-- DataError       a data file, an image, a label, a split
+-- ModelError      a backbone, its weights, a device
+-- StoreError      a run folder: locked, unwritable, damaged, made by another version
+-- RunError        a run that failed although its input was fine (exit 1)
"""


class MllcError(Exception):
    """Base of every error with a text meant for the user."""

    exit_code = 2


class ConfigError(MllcError):
    """A wrong override, config file or combination of settings."""


class DataError(MllcError):
    """A data file, image, label or split that cannot be used."""


class ModelError(MllcError):
    """A backbone, its weights or a device that cannot be used."""


class StoreError(MllcError):
    """A run folder that is locked, unwritable, damaged or of another version."""


class RunError(MllcError):
    """A run that failed although its input was fine."""

    exit_code = 1
