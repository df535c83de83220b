# SPDX-License-Identifier: Apache-2.0
"""The disk is full: publishing is refused with a reason, reads go on, and when there is room again
a restart finds everything that was acked. On a tmpfs of its own where mounting is allowed; where it
is not, these tests are skipped and say so. Also without descriptors and without memory."""
import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import unittest

from qiao_server import KEY, Server, run

TMPFS_MIB = 96  # the first segment reserves 64
TEXT = "x" * 200_000


@contextlib.contextmanager
def small_disk():
    """(directory, environment for the limit or None)"""
    directory = tempfile.mkdtemp(prefix="qiao-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", directory],
                             capture_output=True).returncode == 0
    try:
        yield directory, mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


class DiskFull(unittest.TestCase):
    def fill(self, server):
        """Publishes until it is refused: (ids that were acked, status, body of the refusal)"""
        acked = []
        for n in range(2_000):
            status, body = server.publish("full.test", {"id": f"m{n}", "text": TEXT})
            if status != 200:
                return acked, status, body
            acked.append(f"m{n}")
        self.fail("the disk never filled")

    def ids(self, server):
        return [m["id"] for m in server.messages("full.test", limit=20)]

    def test_refuses_reads_on_and_recovers(self):
        with small_disk() as (directory, mounted):
            if not mounted:
                self.skipTest("==== SKIPPED: mounting a tmpfs is not allowed here ====")
            ballast = os.path.join(directory, "ballast")
            with open(ballast, "wb") as file:
                file.write(b"\0" * (TMPFS_MIB * 7 // 10 << 20))  # the history needs room, too, once there is some
            server = Server(data=os.path.join(directory, "data"))
            os.mkdir(server.data)
            server.start()
            server.call("PUT", "/v1/groups/g", {"pattern": "full.>", "start": "oldest"})
            acked, status, body = self.fill(server)
            self.assertGreater(len(acked), 50)
            self.assertEqual((status, body["error"]["code"]), (503, "unavailable"), body)
            self.assertIn("No space left", body["error"]["message"])
            self.assertIn("restart", body["error"]["message"])
            # Reads go on, and the process lives.
            self.assertEqual(self.ids(server), acked)
            self.assertEqual(server.call("GET", "/v1/topics")[0], 200)
            self.assertEqual(server.call("GET", "/healthz", key=None)[0], 200)
            # It is not ready for work any more, and says why.
            status, ready = server.call("GET", "/readyz", key=None)
            self.assertEqual((status, ready["ready"]), (503, False))
            self.assertIn("No space left", ready["waiting"][0])
            # Still refused, still with the reason; never a silent loss.
            status, again = server.publish("full.test", {"text": "more"})
            self.assertEqual(status, 503)
            self.assertIn("No space left", again["error"]["message"])
            server.stop()
            os.remove(ballast)
            code, out, err = run("verify", server.data, "--json")
            self.assertEqual(code, 0, out + err)
            server.start()
            self.assertEqual(self.ids(server), acked)
            self.assertEqual(server.publish("full.test", {"id": "after", "text": "x"})[0], 200)
            self.assertEqual(server.call("GET", "/readyz", key=None)[0], 200)
            server.stop()

    def test_starting_on_a_full_disk_says_so(self):
        with small_disk() as (directory, mounted):
            if not mounted:
                self.skipTest("==== SKIPPED: mounting a tmpfs is not allowed here ====")
            with open(os.path.join(directory, "ballast"), "wb") as file:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * (1 << 20))
                        file.flush()
            code, out, err = run("serve", "--data", os.path.join(directory, "data"), "--listen", "127.0.0.1:0", "--key", KEY)
            self.assertEqual(code, 13, out + err)
            self.assertIn("No space left", out + err)

    def test_too_few_descriptors_refuse_and_recover(self):
        with Server() as server:
            server.publish("full.test", {"id": "kept", "text": "x"})
            soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (4, hard))
            with self.assertRaises(Exception):
                server.call("GET", "/v1/topics", timeout=2)
            self.assertIsNone(server.process.poll())
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            for _ in range(20):
                with contextlib.suppress(Exception):
                    if server.call("GET", "/v1/topics", timeout=2)[0] == 200:
                        break
            self.assertEqual(self.ids(server), ["kept"])
            self.assertEqual(server.publish("full.test", {"text": "y"})[0], 200)

    def test_short_memory_loses_nothing(self):
        """No room for allocations: the server refuses or ends, and what it acked is there again."""
        with Server() as server:
            acked = [f"s{n}" for n in range(30) if server.publish("full.test", {"id": f"s{n}", "text": "x"})[0] == 200]
            status = open(f"/proc/{server.process.pid}/status", encoding="utf-8").read()
            size = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize")) << 10
            _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_AS)
            resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + (4 << 20), hard))
            for n in range(60):
                try:
                    status, _ = server.publish("full.test", {"id": f"m{n}", "text": TEXT * 35})
                    acked += [f"m{n}"] if status == 200 else []
                except Exception:  # the connection ends with the server
                    break
            self.assertEqual(acked[:30], [f"s{n}" for n in range(30)])
            self.assertLess(len(acked), 90, "memory was never short")
            server.kill()
            server.start()
            self.assertEqual([i for i in self.ids(server) if i in acked], acked)
            print(f"{len(acked)} of 90 were acked", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
