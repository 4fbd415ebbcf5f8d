import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import taxo

distributed.init_process_group("gloo", "tcp://localhost:0", rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
model = torch.nn.Sequential(torch.nn.Linear(64, 10))
step = taxo.compile("cosface", model, classes=10)
fully_shard(step.model, mesh=mesh)
step(torch.rand(32, 64), torch.zeros(32, dtype=torch.long)).backward()
distributed.destroy_process_group()
