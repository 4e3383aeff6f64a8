"""Stands between opsctl and a sandbox, and keeps each request: python tap.py PORT SANDBOX_PORT FILE."""
import base64
import json
import socket
import sys
import threading

PORT, SANDBOX, FILE = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "a", encoding="utf-8")
LOCK = threading.Lock()


def one(client):
    stream, head = client.makefile("rb"), []
    while (line := stream.readline()) != b"\r\n":
        if not line:
            return
        head.append(line.decode().rstrip("\r\n"))
    headers = {h.split(":", 1)[0].lower(): h.split(":", 1)[1].strip() for h in head[1:]}
    if "expect" in headers:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = stream.read(int(headers.get("content-length", "0")))
    with LOCK:
        FILE.write(json.dumps({"head": head, "body": base64.b64encode(body).decode()}) + "\n")
        FILE.flush()
    passed = [h for h in head if not h.lower().startswith(("connection:", "expect:"))]
    with socket.create_connection(("127.0.0.1", SANDBOX)) as server, client:
        server.sendall(("\r\n".join(passed) + "\r\nconnection: close\r\n\r\n").encode() + body)
        while data := server.recv(65536):
            client.sendall(data)


listener = socket.create_server(("127.0.0.1", PORT))
while True:
    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()
