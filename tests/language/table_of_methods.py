"""The coordinates of every method, typed by hand: target · direction · manner · granularity.

A method has a line for each of its perturbations; all of them together make its own direction and manner.
"""

SHOWN: dict[str, tuple[str, ...]] = {
    # Logits
    "meta_mixpert": (
        "logits · positive · adversarial · sample",
        "features · negative · adversarial · sample",  # and meta, for the weights of the two branches
    ),
    "selfpaced_logpert": ("logits · positive · adversarial · sample",),
    "mixpert_adaptive": (
        "features · negative · adversarial · sample",
        "logits · positive · adversarial · sample",
    ),
    "logit_adjustment_posthoc": ("logits · mixed · prior · corpus",),
    "meta_logit_adjustment": ("logits · mixed · meta · category",),
    "vs_loss": ("logits · mixed · prior · sample",),
    "autobalance": ("logits · mixed · meta · category",),
    "ldam": ("logits · negative · prior · category",),
    "deferred_reweighting": ("loss · mixed · prior · category",),
    "isda": ("logits · negative · prior · category",),
    "metasaug": ("logits · mixed · meta · category",),
    "adaptive_face": ("logits · negative · regularization · category",),
    "arcface": ("logits · negative · tuning · corpus",),
    "cosface": ("logits · negative · tuning · corpus",),
    "sphereface": ("logits · negative · tuning · corpus",),
    "balanced_margin": ("logits · negative · meta · category",),
    "zla": ("logits · mixed · prior · sample",),
    # Labels
    "soft_bootstrapping": ("labels · mixed · prior · sample",),
    "hard_bootstrapping": ("labels · positive · prior · sample",),
    "mixbootstrapping": ("labels · mixed · prior · sample + category",),
    "online_label_smoothing": ("labels · mixed · prior · category",),
    "adversarial_label_smoothing": ("labels · negative · adversarial · sample",),
    "proselflc": ("labels · mixed · prior · sample",),
    "mslc": ("labels · mixed · meta · sample",),
    "d2l": ("labels · positive · prior · sample",),
    "deep_self_learning": ("labels · mixed · prior · sample",),
    "robust_regression": ("labels · positive · regularization · sample",),
    "robust_lasso": ("labels · positive · regularization · sample",),
    "label_relaxation": ("labels · positive · regularization · sample",),
    # Loss
    "knowledge_distillation": ("loss · mixed · prior · sample",),
    "confidence_penalty": ("loss · negative · prior · sample",),
    "mbls": ("loss · negative · prior · sample",),
    "dlb": ("loss · negative · prior · sample",),
    "dac": ("loss · mixed · prior · sample",),
    "svm": ("loss · positive · regularization · sample",),
    "nu_svm": ("loss · positive · regularization · sample",),
    "metadistil": ("loss · mixed · meta · sample",),
    "adversarial_kd": (
        "features · negative · adversarial · sample",
        "loss · mixed · prior · sample",
    ),
    # Features
    "fgsm": ("features · negative · adversarial · sample",),
    "fgsm_random_start": ("features · negative · adversarial · sample",),
    "pgd_targeted": ("features · mixed · adversarial · sample",),
    "free_at": ("features · negative · adversarial · sample",),
    "advprop": ("features · negative · adversarial · sample",),
    "interpolated_at": (
        "features · negative · adversarial · sample",
        "features · mixed · prior · sample",
        "labels · mixed · prior · sample",
    ),
    "uat": ("features · negative · adversarial · corpus",),
    "class_uat": ("features · negative · adversarial · category",),
    "mixed_adversarial": (
        "features · negative · adversarial · corpus",
        "features · negative · adversarial · sample",
    ),
    "meta_adversarial": ("features · negative · adversarial · sample",),
    "meta_universal_patch": ("features · negative · meta · corpus",),
    "pd_ua": ("features · negative · regularization · corpus",),
    "reg_pert": ("features · negative · regularization · sample",),
    "defense_gen": ("features · positive · regularization · sample",),
    "l2_noise": ("features · mixed · prior · sample",),
    "esp": ("features · mixed · prior · sample", "labels · mixed · prior · sample"),
    "mixup": ("features · mixed · prior · sample", "labels · mixed · prior · sample"),
    "manifold_mixup": ("features · mixed · prior · sample", "labels · mixed · prior · sample"),
    "cutmix": ("features · mixed · prior · sample", "labels · mixed · prior · sample"),
    "metamixup": ("features · mixed · meta · sample", "labels · mixed · meta · sample"),
    "augmix": (
        "features · mixed · prior · sample",
        "features · mixed · prior · sample",
        "loss · negative · prior · sample",
    ),
    "corruption_training": ("features · mixed · prior · sample",),
    "adversarial_flow": ("features · negative · adversarial · sample",),
    "adversarial_recolor": ("features · negative · adversarial · sample",),
    "dpl": ("features · positive on guide · meta · sample",),
    "dpl_replace": ("features · positive on guide · meta · sample",),
    "robust_clustering": ("features · positive · regularization · sample",),
    "robust_icp": ("features · positive · regularization · sample",),
    "multiview_robust": (
        "features · positive · regularization · category",
        "features · mixed · prior · sample",  # the second view itself
        "features · positive · regularization · category",
    ),
    # Weights
    "asam": ("weights · negative · adversarial · corpus",),
    "daap": ("weights · mixed · prior · corpus",),
    "dropconnect": ("weights · mixed · prior · corpus",),
    "dropout_noise": ("features · mixed · prior · sample",),
    "awp": ("features · negative · adversarial · sample", "weights · negative · adversarial · corpus"),
    # What the survey only names
    "class_center": ("features · positive · prior · category",),
    "friendly_examples": ("features · positive · adversarial · sample",),
    "category_logpert": ("logits · positive · regularization · category",),
    "meta_logpert": ("logits · mixed · meta · sample",),
    "adversarial_label_smoothing_at": (
        "features · negative · adversarial · sample",
        "labels · mixed · prior · sample",
    ),
    "label_svm": ("labels · positive · regularization · sample",),
    "focal": (),
    "self_paced": (),
}

# What a whole method finds: the manner, the names, and the held-out data if there is any.
LEARNED: dict[str, str] = {
    "adaptive_face": "regularization over m",
    "adversarial_kd": "adversarial over generator",
    "autobalance": "meta over dy, ly on validation",
    "balanced_margin": "meta over m on validation",
    "meta_adversarial": "meta over bank on validation",
    "meta_logit_adjustment": "meta over tau on validation",
    "meta_mixpert": "meta over net on validation",
    "metadistil": "meta over teacher on validation",
    "metamixup": "meta over share on validation",
    "metasaug": "meta over cov on validation",
    "mslc": "meta over given, past on validation",
    "nu_svm": "regularization over rho",
}

# Where a form shows something else than its method declares: which perturbation, what, and why.
DERIVED: dict[str, tuple[tuple[int, str, str, str], ...]] = {
    "vs_loss": (
        (
            0,
            "granularity",
            "corpus",
            "affine in the logits, whose factors and offsets are those of the classes",
        ),
    ),
    "zla": ((0, "granularity", "corpus", "every sample's logits get the same prior"),),
    "mixbootstrapping": (
        (0, "granularity", "sample", "a form is as fine as its finest part; the other is a category's"),
    ),
    "meta_mixpert": (
        (0, "manner", "adversarial + meta", "the weight of its branch is learned on held-out data"),
        (1, "manner", "adversarial + meta", "the weight of its branch is learned on held-out data"),
    ),
    "meta_adversarial": ((0, "manner", "adversarial + meta", "it starts from what held-out data tell"),),
    "adversarial_label_smoothing_at": (
        (1, "granularity", "category", "what label smoothing adds depends on the label alone"),
    ),
}

# Where random logits and labels say something else than the method: their verdicts, and why.
PROBED: dict[str, tuple[tuple[str, ...], str]] = {
    "mbls": (("nothing",), "logits of deviation 2 are never 10 apart, which is the margin"),
}
