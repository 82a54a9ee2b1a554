"""A program that loads the model it is given with llama.cpp, says what it answered as JSON, and ends at once.

It ends without clean-up: stopping the engine right after its start may wait for ever.
"""

import json
import os
import sys

import xllamacpp


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = params.n_parallel = 1
    params.n_ctx = 256
    params.warmup = params.fit_params = False
    server = xllamacpp.Server(params)
    greedy = {"max_tokens": 6, "temperature": 0, "top_k": 1, "ignore_eos": True}
    bare = server.handle_completions({"prompt": "user: hi\nassistant: ", **greedy})
    chat = server.handle_chat_completions({"messages": [{"role": "user", "content": "hi"}], **greedy})
    found = {"text": bare["choices"][0]["text"], "chat": chat["choices"][0]["message"]["content"]}
    print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
