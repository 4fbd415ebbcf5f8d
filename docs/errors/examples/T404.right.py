from torch import nn

import taxo

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
step = taxo.compile('damp(sites: "2.*")', model, classes=10)
