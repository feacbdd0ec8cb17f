"""A private, real SLURM on this machine: four virtual nodes, its own munge, ports and folder; no accounting."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import HANG_SECONDS

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
ASK = 0.5
"""Seconds between two questions to SLURM: each starts a program, and would slow down what is waited for."""

NODES = ("dose1", "dose2", "dose3", "dose4")

CONFIG = """\
ClusterName=dosage
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool-%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd-%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1
JobRequeue=1
MinJobAge=600
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
"""


def missing() -> str:
    """Why no SLURM can be started here; empty when it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return (
            f"{', '.join(absent)} not installed (Debian: slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins)"
        )
    return "" if os.geteuid() == 0 else "only root can start a SLURM"


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Cluster:
    """The daemons, from `start` to `stop`. ``environment`` makes SLURM's commands talk to this one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, "SLURM_CONF": str(home / "slurm.conf"), "PATH": _path()}

    def start(self) -> None:
        """Start munge, the controller and the nodes; return when all nodes are idle."""
        self._configure()
        (self.home / "state").mkdir()
        (self.home / "munge.key").write_bytes(os.urandom(128))
        (self.home / "munge.key").chmod(0o600)
        parts = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        files = [f"--{option}={self.home}/munge.{part}" for option, part in parts.items()]
        self._daemon("munged", "--foreground", "--force", "--num-threads=2", *files)
        self._until("munge answers", lambda: (self.home / "munge.socket").exists())
        self._daemon("slurmctld", "-D")
        for node in NODES:
            self._daemon("slurmd", "-D", "-N", node)
        self._until(
            "all nodes are idle",
            lambda: self.run("sinfo", "-hN", "-pdose", "-o%t", check=False) == "idle\n" * len(NODES),
        )

    def stop(self) -> None:
        """End every job and every daemon that `start` started."""
        self.run("scancel", "--user=root", check=False)
        self._until("no job is left", lambda: not self.run("squeue", "-h", check=False), seconds=10.0, fail=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(5.0)
            except subprocess.TimeoutExpired:  # a slurmd that has lost its controller ignores SIGTERM
                daemon.kill()
                daemon.wait()

    def run(self, *words: str, check: bool = True) -> str:
        """What one of SLURM's commands prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=HANG_SECONDS)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """Every job that SLURM remembers, ended ones included, by its number (array elements as ``12_3``)."""
        found = {}
        for line in self.run("scontrol", "--oneliner", "show", "job").splitlines():
            facts = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
            if "JobId" not in facts:
                continue
            found |= dict.fromkeys(_numbers(facts), facts)
        return found

    def restart(self, number: str) -> None:
        """Let a requeued job start now; SLURM would hold it back for two minutes.

        Not before its first run has left the node, nor within the same second: the node would take the new run for the
        one that was killed.
        """
        self._until(f"the first run of job {number} has ended", lambda: not self.steps(number))
        time.sleep(1.5)
        self.run("scontrol", "update", f"JobId={number}", "StartTime=now")
        self._until(f"job {number} runs again", lambda: self.jobs()[number]["JobState"] == "RUNNING")

    def steps(self, number: str) -> list[str]:
        """The nodes' helper processes for the steps of a job; another cluster may have a job of the same number."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                title = (process / "cmdline").read_bytes()
                if title.startswith(f"slurmstepd: [{number}.".encode()):
                    ours = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
                    found += [title.decode()] if ours in (process / "environ").read_bytes().split(b"\0") else []
        return found

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        controller, *ports = _free_ports(1 + len(NODES))
        text = CONFIG.format(home=self.home, host=host, controller=controller)
        for node, port in zip(NODES, ports, strict=True):
            text += f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=2000\n"
        nodes = f"Nodes={','.join(NODES)} State=UP"
        text += f"PartitionName=dose {nodes} Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=20\n"
        text += f"PartitionName=short {nodes} MaxTime=2:00:00 PriorityTier=1 GraceTime=20\n"
        text += f"PartitionName=urgent {nodes} MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF\n"
        (self.home / "slurm.conf").write_text(text)

    def _daemon(self, *words: str) -> None:
        with (self.home / f"{len(self.daemons)}-{words[0]}.out").open("wb") as log:
            self.daemons.append(
                subprocess.Popen(
                    words,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _until(
        self, what: str, condition: Callable[[], object], seconds: float = HANG_SECONDS, fail: bool = True
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                if fail:
                    raise RuntimeError(f"SLURM: {what}: not after {seconds:.0f} s; its logs are in {self.home}")
                return
            time.sleep(ASK)


def until(condition: Callable[[], object], pause: float = 0.05) -> None:
    """Wait for a condition; ``pause=ASK`` for one that asks SLURM."""
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for has not come"
        time.sleep(pause)


def _numbers(facts: dict[str, str]) -> list[str]:
    """The numbers of the jobs that one line of scontrol is about: it folds the waiting elements of an array."""
    if "ArrayTaskId" not in facts:
        return [facts["JobId"]]
    numbers: list[str] = []
    for part in facts["ArrayTaskId"].partition("%")[0].split(","):
        first, _, last = part.partition("-")
        numbers += [f"{facts['ArrayJobId']}_{index}" for index in range(int(first), int(last or first) + 1)]
    return numbers


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
