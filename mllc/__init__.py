"""mllc compares loss functions for multi-label classification with sparse labels, fairly, on your own data.

The way of a batch, top to bottom; imports point down only:

    cli          parse, call, print
    tune         searches each row's settings, repeats the best            proposals   what Optuna proposes for one row
    sweep        trains all, selects on validation, scores what was selected
    pack         parts of a sweep in several processes; worker: one of them; workforce: how many;
                 forkserver: what they are forked from; preload: what that imports first
    run          cohorts of trials -> results: trains what is not done
    score        a trained replica -> its RunResult          screen      live progress; progress: how far a cohort is
    preflight    what a sweep refers to, tried before hours of training; trial: a config's id, folder and title
    loss_plot    losses -> a picture of their values and gradients
    trained      a run folder -> its model, to apply         predict/    new samples -> their labels, as text
    export/      a run folder -> one file for other programs place       where a command writes a file
    plots/       run folders, scores -> pictures             page/       a comparison, a diagnosis as one HTML file
    build        a config -> what it names                   checkpoint  a replica's state <-> tensors
    network      a config, without data -> its network       model_file  what applying a model needs: model.json
    open_data    a config -> its data set, read and split
    report/      RunResults -> selection, verdicts, tables, words, code    options  what the commands take
    train        the training loop                           evaluate    predictions -> every figure
    diagnose     anyone's scores -> what is wrong, in numbers
    inspection/  a data set -> its labels, copies and baselines, in numbers
    config/      conf/ and overrides -> checked configs      store       run folders (a folder)
    engine/      how replicas are stepped on a batch         replica     what one trial owns
    feed         rows -> batches of features, shared by a cohort; plan: trials -> cohorts; device; environment
    features     what a frozen front makes of a data set, kept on disk

    losses/      functions of logits and targets, their decision rules and scores
    metrics/     functions of scores or decisions and targets; thresholds, baselines, collapse
    data/        readers, splits, augmentation               models/     backbones, freezing, outputs
    trackers/    who is told of epochs and results, beside the run folder
    schedules, seeding, monitors, writer, suggest, wording, advice

    result, study  what a run and a search leave behind    statistics  paired comparisons: arrays in, numbers out
    types  what travels between the rooms    records  dataclasses as JSON    errors, foreign, interrupt, digests
"""

__version__ = "0.1.0"
