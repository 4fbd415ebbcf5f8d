from torch import nn

import taxo

counts = [500, 120, 35]
step = taxo.compile("logit_adjustment", nn.Linear(64, 3), classes=3, class_counts=counts)
