import torch

import taxo
from taxo.runtime.graphed import Graphed

device = "cuda" if torch.cuda.is_available() else "cpu"
model = torch.nn.Sequential()
model.layer1, model.layer2 = torch.nn.Linear(64, 64), torch.nn.Tanh()
model.fc = torch.nn.Linear(64, 10)
model.to(device)
step = Graphed(taxo.compile("manifold_mixup", model, classes=10))
