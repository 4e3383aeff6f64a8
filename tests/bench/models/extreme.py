"""Writes a config at the limits that `opsctl check` allows, beside a copy of config/: python extreme.py FILE [EPOCHS]."""
import sys

name, other = "n" * 20, "m" * 20
epochs = sys.argv[2] if len(sys.argv) > 2 else "1"
channels = [(f"{i:02}_" + "Channel." * 8)[:64] for i in range(20)]
text = f"""
[project]
name = "{"p" * 20}"
region = "us-east-1"
[bucket]
name = "{"b" * 63}"
keep_old_versions = "2147483647d"
abort_uploads_after = "2147483647d"
[encryption]
kms_key = "arn:aws:kms:us-east-1:123456789012:key/mrk-{"0" * 32}"
"""
for channel in channels:
    text += f'[data."{channel}"]\npath = "data/digits"\n'
data = ", ".join(f'"{channel}"' for channel in channels)
text += f"""
[training.{name}]
source = "training"
max_runtime = "28d"
spot = true
max_wait = "28d"
checkpoints = true
volume_gb = 16384
image = "pytorch-2.6"
data = [{data}]
[training.{name}.hyperparameters]
epochs = {epochs}
"""
text += "".join(f'{i:02}{"k" * 254} = "{"ü" * 2500}"\n' for i in range(95))
text += f"[training.{name}.metrics]\n"
text += "".join(f'"{i:02}{"m" * 253}" = \'([0-9]+){"x" * 492}\'\n' for i in range(40))
text += f"[training.{name}.environment]\n"
text += "".join(f'V{i:02}{"_" * 509} = "{"😀" * 512}"\n' for i in range(100))
text += f"""
[training.{other}]
on = "ec2"
source = "training-ec2"
max_runtime = "2h"
volume_gb = 65536
data = [{data}]
[training.{other}.hyperparameters]
text = "{'é' * 1300}"
[notebook.{name}]
volume_gb = 16384
idle_stop = "never"
[function.{name}]
endpoint = "{name}"
memory_mb = 10240
timeout = "900s"
provisioned_concurrency = 900
[function.{name}.environment]
TEXT = "{'ü' * 1990}"
[endpoint.{name}]
model = "{name}"
code = "serving"
instance_type = "ml.m5.large"
instance_count = 10
[endpoint.{name}.autoscaling]
min = 1
max = 2147483647
target_invocations_per_instance = 2.34e108
scale_in_cooldown = "2147483647s"
scale_out_cooldown = "2147483647s"
[endpoint.{name}.environment]
"""
# 32 KB in all, with what opsctl adds.
text += f'V{"_" * 1023} = "{"ß" * 512}"\n'
text += "".join(f'V{i:02} = "{"ß" * 158}"\n' for i in range(95))
open(sys.argv[1], "w", encoding="utf-8").write(text)
