"""An exported team plays a PettingZoo world: without ptde, and without JAX.

ptde run env:mpe2.simple_spread_v3:parallel_env --out runs/spread
ptde export runs/spread --out team
python examples/play_exported.py team [EPISODES [numpy | onnx]]

It needs numpy, pettingzoo and mpe2; and onnxruntime for onnx.
"""

import sys

import numpy as np
from mpe2 import simple_spread_v3


def play(folder, episodes=5, engine="numpy"):
    sys.path.insert(0, folder)
    from player import Player  # the folder's own player.py

    player = Player(folder, engine)
    env = simple_spread_v3.parallel_env()
    agents = env.possible_agents  # the team's agents, in this order
    legal = np.ones((len(agents), player.u), bool)  # every action, always
    for episode in range(int(episodes)):
        player.reset()
        seen, _ = env.reset(seed=episode)
        total = 0.0
        while env.agents:
            obs = np.stack([seen[agent] for agent in agents])
            actions = player.act(obs, legal)
            seen, rewards, *_ = env.step(dict(zip(agents, actions, strict=True)))
            total += sum(rewards.values())
        print(f"episode {episode}: return {total:.4f}")


if __name__ == "__main__":
    play(*sys.argv[1:])
