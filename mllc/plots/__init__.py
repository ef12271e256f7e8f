"""Pictures: from run folders to figures, PNG and SVG. No torch here; matplotlib is used without pyplot.

    gallery   finished runs -> every picture that they allow: `figures`      diagnosed   likewise, of a diagnosis
    gather    what the folders of a comparison's rows hold, as plain data    folders   the files themselves
    scene     what was gathered -> one comparison's pictures, with titles     score_curves   what every cut predicts
    data_set  an inspection -> one picture
    picture   a figure with its title and caption; SVG, PNG, files           style, words   the look they share

One picture a file, each a function of plain data: training_curves, intervals, verdict_matrix, threshold_curves,
precision_recall, label_frequency, score_histogram, tried_settings, critical_difference.
"""

from mllc.plots.gallery import figures
from mllc.plots.picture import Picture, make_folder, write

__all__ = ["Picture", "figures", "make_folder", "write"]
