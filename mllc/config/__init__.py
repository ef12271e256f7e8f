"""Overrides and conf/ to checked, plain configs, and from these to what they name.

compose     overrides to the configs of runs        search      ... to what a tuned sweep searches, row by row
composer    the only file that imports hydra        catalogue   what conf/ holds, read without hydra
presets     the overrides a sweep preset stands for settings    what a value may be, from its YAML
checks      keys and values, before torch is there  targets     _target_ to the callable, and calling it
completion  for the shell                           listing     for `mllc list`
"""
