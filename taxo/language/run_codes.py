"""The codes of what can go wrong when a method runs: what it is given, data, commands and training."""

from __future__ import annotations

from taxo.language.codes import Code

RUN_CODES: dict[str, Code] = {
    "T401": Code(
        "something the method needs was not given",
        "The method reads something that only you know, such as the size of the data set or how many "
        "samples each class has; a step that is compiled for your own loop never sees the data as a whole. "
        "Pass what the hint names to `taxo.compile`.",
    ),
    "T402": Code(
        "a class without samples",
        "The method reads how frequent each class is, and the counts say that one never occurs; the "
        "logarithm of its share has no value. Perhaps the class was filtered out, or the counts are of a "
        "part of the data. Leave the class out, or count again.",
    ),
    "T403": Code(
        "no such parameter",
        "The method has no parameter of this name. taxo does not skip it, because you would believe that "
        "the value had been used. `taxo show METHOD` lists a method's parameters and their domains.",
    ),
    "T404": Code(
        "a site that matches nothing",
        "The pattern behind `at` fits no trainable parameter of this model, so there is nothing to perturb. "
        "Every model names its parts in its own way; `model.named_parameters()` shows how. Change the "
        "pattern, or check whether that part is frozen.",
    ),
    "T405": Code(
        "the model's output has the wrong shape",
        "A step needs logits of shape [samples, classes]: a tensor, the first entry of a tuple, or an "
        "attribute `.logits`. This model returned something else. Often `classes` is not the width of its "
        "last layer.",
    ),
    "T406": Code(
        "index missing or out of range",
        "The method keeps a value for each sample of the data set, and finds it by the sample's place "
        "there. That place was not given, or lies outside 0 to `samples - 1`. Let your data set return it "
        "beside the input and the label, and pass it on as the third argument.",
    ),
    "T407": Code(
        "labels out of range",
        "Labels are class numbers from 0 to `classes - 1`, or distributions over the classes, one for each "
        "sample. Some of these are not. Numbers that begin at 1 are the usual cause.",
    ),
    "T408": Code(
        "inputs out of range",
        "The method keeps perturbed inputs inside a box, and yours lie outside before anything is "
        "perturbed: the box alone would change every image. Most often they were normalised too early. Give "
        "images in [0, 1] and normalise in the model's first layer, or write the box that your inputs have.",
    ),
    "T409": Code(
        "a perturbation that is not finite",
        "A perturbation became NaN or infinite, and the losses behind it with it; the message quotes the "
        "clause. Usually it is the logarithm, root or quotient of something that can be zero or "
        "less; in a search, a step size or radius that is too large. Keep the argument away from zero, "
        "such as by `max(p, 1e-6)`. On a GPU this is said at the end of the epoch, since asking costs time.",
    ),
    "T410": Code(
        "a table that does not fit into memory",
        "The method keeps values for each sample, class or place in the batch, and together they take more "
        "than the device has left. taxo computes this before training starts. `store: half` halves them, "
        "`store: host` keeps them in the main memory, and both are options of the solver.",
    ),
    "T411": Code(
        "a sharded model that a method cannot work with",
        "The model's weights are shared out over several processes, so that each holds a part of them and "
        "has the rest only while a module runs. Most methods never notice. This one wants the weights at a "
        "time or in a form that the sharding does not give; computing on would give wrong numbers. Shard "
        "otherwise, as the hint says, or wrap the step by `DistributedDataParallel`.",
    ),
    "T412": Code(
        "values that are no pictures",
        "Smooth motions and changes of colours are about neighbouring pixels, so the value that they perturb "
        "has four axes: samples, channels, height and width. Columns of a table and flattened images do not "
        "say what is next to what. Give the step images as they are, and flatten them in the model's first "
        "layer.",
    ),
    "T413": Code(
        "a clause that cannot be computed",
        "When the run came to this clause, Python or PyTorch could not compute it; the message quotes what "
        "they said. What the check can tell by reading, it tells before; this is what shows only when a "
        "model and data are there: outputs of two modules that have no shape in common, or a number of "
        "classes that something is divided by. Look at what meets in the clause that is quoted. An error "
        "of your own model is no such error, and is shown as it is.",
    ),
    "T415": Code(
        "a step that no CUDA graph holds",
        "A CUDA graph is what the device was told to do in one step, told again for every batch. What the "
        "host does anew each time is not in it: choosing a module, calling a function from outside, fetching "
        "rows of a table from the main memory, exchanging gradients between processes. Call the step itself, "
        "which gives the same numbers, or change what the message names.",
    ),
    "T501": Code(
        "no such data set",
        "No data set has this name, or what it is read from is not on this machine. The hint gives the "
        "nearest name, or the command that gets it; `taxo data` lists the data sets, and where they are.",
    ),
    "T502": Code(
        "data that cannot be read",
        "A file of the data set is there, but it is broken, cut short, or not of the format that its name "
        "promises. The message says which file, and what is wrong with it. Get published data again, and "
        "mend your own files where the message points.",
    ),
    "T503": Code(
        "a setting that cannot be read",
        "There is no such flag, its value is not of the form that the flag takes, or two flags do not go "
        "together. taxo stops before it trains, so that no run rests on a guess. `taxo train --help` "
        "explains every flag.",
    ),
    "T504": Code(
        "no such model",
        "No model has this name, or the model does not take samples of this shape: a convolution needs "
        "images. `taxo train --help` lists the models.",
    ),
    "T505": Code(
        "no such device",
        "You asked for a device that this machine does not have, or that PyTorch does not see. taxo does "
        "not turn to the CPU in silence, which might cost you a day. Without `--device` a run takes a GPU "
        "where there is one.",
    ),
    "T506": Code(
        "a folder that cannot be written",
        "The folder holds a run already, or the system refuses to write there: the disk is full, or the "
        "folder is not yours. A run is never overwritten. Choose another folder, or go on with that run by "
        "`--resume`.",
    ),
    "T507": Code(
        "a checkpoint that cannot be read",
        "To go on, a run needs its own folder with settings, checkpoint and metrics. Some of that is "
        "missing, broken, or of another version of taxo. Check the folder's name first: every run prints it "
        "at its end.",
    ),
    "T508": Code(
        "resumed with another specification",
        "A resumed run is the same run, and its epochs before and after the stop must belong together. The "
        "method or a setting is not what it was, or a worker that shares a comparison's folder was given "
        "another; the message shows the lines that differ. Undo the change, or start a new run. Only the "
        "device may be another.",
    ),
    "T509": Code(
        "data with a value that is not finite",
        "Some input is NaN or infinite. One such value spoils every weight within a step, so nothing is "
        "trained. Mend or drop the samples that hold one.",
    ),
    "T601": Code(
        "a loss that is not finite",
        "The loss or a weight became NaN or infinite, and no step can mend that, so the run stops; the last "
        "good checkpoint stays. Usually the learning rate is too high. In a method of your own, look for "
        "the logarithm or the root of something that can be zero or less.",
    ),
    "T602": Code(
        "out of memory",
        "The machine has no memory left for a step. What a step needs grows with the batch, so make that "
        "smaller first, then the model. On a GPU, see whether another program holds some of it.",
    ),
}
