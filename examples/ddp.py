"""Many processes: `DistributedDataParallel` goes around the step, and nothing else changes.

    torchrun --nproc-per-node 2 examples/ddp.py

Run without torchrun, it is one process.
"""

import os

import torch
from sklearn.datasets import load_digits
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

import taxo

for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}.items():
    os.environ.setdefault(name, value)
distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank = distributed.get_rank()
device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"

pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
data = TensorDataset(images[:1200], torch.tensor(digits[:1200]))
sampler = DistributedSampler(data, seed=0)
loader = DataLoader(data, batch_size=64 // distributed.get_world_size(), sampler=sampler)

torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
step = taxo.compile("sam", model, classes=10).to(device)
parallel = DistributedDataParallel(step)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in step.epochs(8):
    sampler.set_epoch(epoch)
    for x, y in loader:
        loss = parallel(x.to(device), y.to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

if rank == 0:
    found = step.predict(images[1200:].to(device)).argmax(1).cpu()
    print(f"test accuracy {(found == torch.tensor(digits[1200:])).float().mean():.1%}")
distributed.destroy_process_group()
