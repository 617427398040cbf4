"""FastAPI on uvicorn at its best, the peer of several contests: echo and rooms on a WebSocket, and
requests with a background task. Asked on its standard input as the servers in Node are (see
`child.ts`); its first line is its port.
"""

import gc
import json
import os
import resource
import socket
import sys
import threading
import time
from datetime import datetime, timezone
from functools import partial
from itertools import count

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse

SUBPROTOCOL = "meanwhile.v1"
WORK_FILE = os.environ.get("WORK_FILE", os.devnull)

app = FastAPI()
rooms: dict[str, set[WebSocket]] = {}
offsets = count(1)
encode = partial(json.dumps, separators=(",", ":"))


# HTTP: `await request.json()` takes less than a parameter `body: dict`, and a function on the event
# loop, though it blocks, less than a thread takes to append a line


@app.get("/healthz")
async def healthz():
    return JSONResponse({"status": "ok"})


@app.post("/accept")
async def accept(request: Request, background: BackgroundTasks):
    background.add_task(nothing, await request.json())
    return JSONResponse({"status": "accepted"}, status_code=202)


@app.post("/process")
async def process(request: Request, background: BackgroundTasks):
    background.add_task(write, await request.json())
    return JSONResponse({"status": "accepted"}, status_code=202)


async def nothing(body: dict):
    pass


async def write(body: dict):
    with open(WORK_FILE, "a") as file:
        file.write(f"Processed: {json.dumps(body)}\n")


# WebSockets: an echo, or with a subprotocol as much of the language of `meanwhile.v1` as it takes. To
# await one client after the other takes half of what `asyncio.gather` takes, and wsproto less than
# websockets: in time, and in memory


@app.websocket("/ws")
async def ws(websocket: WebSocket):
    if SUBPROTOCOL in websocket.scope["subprotocols"]:
        await websocket.accept(SUBPROTOCOL)
        try:
            async for text in websocket.iter_text():
                await serve(websocket, json.loads(text))
        finally:
            for room in rooms.values():
                room.discard(websocket)
    else:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"You said: {text}")


async def serve(websocket: WebSocket, message: dict):
    topic = message["topic"]
    if message["type"] == "subscribe":
        rooms.setdefault(topic, set()).add(websocket)
        text = encode({"type": "ok", "id": message["id"], "topic": topic})
        return await websocket.send_text(text)
    text = encode(envelope(topic, message["data"]))
    for client in tuple(rooms.get(topic, ())):
        await client.send_text(text)


def envelope(topic: str, data: object):
    return {
        "type": "message",
        "topic": topic,
        "offset": next(offsets),
        "from": "guest-0f2c4a1b",
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "data": data,
    }


# What its parent may ask


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"used": (usage.ru_utime + usage.ru_stime) * 1_000, "at": time.perf_counter() * 1_000}


def rss():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def answer():
    for line in sys.stdin:
        question = json.loads(line)[0]
        print(json.dumps({"cpu": cpu, "rss": rss}[question]()), flush=True)
    os._exit(0)  # its parent is gone


listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=answer, daemon=True).start()
config = uvicorn.Config(
    app,
    loop="uvloop",
    http="httptools",
    ws="wsproto",
    ws_per_message_deflate=False,
    lifespan="off",
    access_log=False,
    log_level="critical",  # wsproto tells of each connection that is cut as of an error
)
uvicorn.Server(config).run(sockets=[listener])
