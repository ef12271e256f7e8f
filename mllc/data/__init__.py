"""Data: one reader a file (`NAME(**settings) -> Dataset`), and what every reader and run shares.

A reader's module also offers `samples(path, settings, encoding) -> Iterator[Samples]`: the samples of a file that the
user names, without need of labels, a chunk at a time, in the form that `encoding` (Dataset.encoding) describes;
`settings` are those of the data set in the run's config.

digits synthetic arff images     the readers; conf/dataset/NAME.yaml holds their settings and defaults
path_labels                      likewise, of images listed with a 0 or 1 for each label
libsvm extreme                   likewise, of sparse text
npz parquet                      likewise, of vectors that another program has computed
celeba deepfashion               likewise; attribute_lists: what the two share
coco voc yolo                    likewise, of objects in images
arff_header arff_rows            the two parts of an ARFF file
arff_features arff_labels        its attributes as columns of features, by a recipe; as targets
arff_groups                      its attribute that names the group of each row
svmlight svmlight_table          lines of `label,label index:value ...`; whole files of them as sparse arrays
svmlight_counts                 how many labels and features the numbers in such files say there are
decimal_text                     many numbers in text parsed at once
vectors label_arrays             vectors checked and standardized; labels as a matrix or lists of numbers
parquet_file parquet_columns     a Parquet file opened; its columns as arrays
coco_json voc_xml objects        a COCO file; a VOC annotation; from the objects in an image to its labels
yolo_yaml yolo_labels            a YOLO data.yaml; the label file of an image
tables label_columns             tables that list samples, row by row; which of their columns hold labels
label_cells label_spelling       the ways to spell labels; which one a table uses
image_list image_dataset         images: what a format's lists become; a data set made of them
image_names layouts plain_xml    which files are images; where data sets have their files; XML without harm
image_samples                    new images for a trained model: a file, a folder, a list
image_rows decode image_files    how images are held; the pixels of a file, of many files
image_cache streamed             images decoded once, kept on disk as uint8; decoded for each batch by processes
download                         public data sets fetched: dataset.download=true
recognise recognise_files        dataset=auto: what a path holds; what one file is, a folder is (recognise_folders),
                                 how lists and vectors are to be read (recognise_lists, _vectors); without torch
scored score_files score_csv     anyone's scores and targets, checked; the files they come in
files rows assemble fingerprint  what the readers share: opening, rows sparse or on disk, checks, content digest
splits groups                    stratified splits; splits that keep groups of samples together
statistics single_positive       what losses ask of the training split; labels thrown away but for one a sample
batches ahead augment/           one epoch's batches; reading ahead of them; random changes of images, mixtures
"""
