from torch import nn

import taxo

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
step = taxo.compile("logpert", model, classes=10, samples=1617)
