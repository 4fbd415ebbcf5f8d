import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard

import taxo

distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
mesh = distributed.init_device_mesh("cpu", (1,))
model = torch.nn.Sequential(torch.nn.Linear(64, 10))
fully_shard(model, mesh=mesh)
try:
    step = taxo.compile("cosface", model, classes=10)
finally:
    distributed.destroy_process_group()
