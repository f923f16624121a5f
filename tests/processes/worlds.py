"""Worlds for the tests of worlds: small, exact, and broken in every way there is."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np

from ptde.processes import ProcessStep

CELLS, AGENTS = 5, 2


class Line:
    """Agents on a line; the observation tells seed, time and place, so that every step of
    a rollout can be checked. The team wins if all stand on cell 0 at the end."""

    time_limit = 6

    def __init__(self, length=4):
        self.length = length

    def reset(self, seed):
        self.seed, self.time = seed, 0
        self.place = np.random.default_rng(seed).integers(CELLS, size=AGENTS)
        return self.show()

    def step(self, action):
        self.time += 1
        self.place = np.clip(self.place + action - 1, 0, CELLS - 1)
        ended = self.time == self.length
        won = float(ended and not self.place.any())
        return self.show(reward=float(self.place.sum()), ended=ended, won=won)

    def show(self, **more):
        of_all = [self.seed % 1009, self.time]
        obs = [[*of_all, place] for place in self.place]
        legal = np.ones((AGENTS, 3), bool)
        legal[:, 0] = self.place > 0
        return ProcessStep(obs, [*of_all, *self.place], legal, **more)


class Born(Line):
    """Takes a seed where it is made and nowhere else, as SMAC does, and shows it. Crashes
    once if there is a file, which it removes."""

    def __init__(self, seed=0, crash=None):
        super().__init__()
        self.born, self.file = seed, Path(crash or "no such file")

    def reset(self, seed):
        return super().reset(self.born)

    def step(self, action):
        if self.file.exists():
            self.file.unlink()
            raise RuntimeError("the ball is gone")
        return super().step(action)


class Endless(Line):
    """Nothing ends but its time."""

    def __init__(self):
        super().__init__(length=1000)


class Scored(Line):
    """Keeps a score, and draws itself."""

    def show(self, **more):
        step = super().show(**more)
        step.score = float(self.time)
        return step

    def frame(self):
        return np.full((8, 8, 3), 20 * self.time, np.uint8)


class Drawn(Scored):
    """Draws itself in the way that it is told, and keeps a recording in a place of its own,
    or in one that it is given."""

    def __init__(self, how="float", kept="own"):
        super().__init__()
        self.how, self.kept = how, kept

    def frame(self):
        if self.how == "raise":
            raise RuntimeError("no screen")
        if self.how == "flat":
            return np.zeros((8, 8), np.uint8)
        return super().frame() / 255 if self.how == "float" else super().frame()

    def replay(self):
        return self.kept


def recorded(record="own"):
    return Drawn("well", record)


class Broken(Line):
    """Fails in the way that it is told, in the third step of every episode whose number
    says so; its file counts them."""

    def __init__(self, how, file, every=3):
        super().__init__()
        self.how, self.file, self.every = how, Path(file), every

    def reset(self, seed):
        with open(self.file, "ab") as episodes:  # one byte each: copies share the file
            episodes.write(b".")
            episodes.flush()
            count = episodes.tell() - 1
        self.bad = count % self.every == self.every - 1
        return super().reset(seed)

    def step(self, action):
        step = super().step(action)
        if self.bad and self.time == 3:
            getattr(self, self.how)(step)
        return step

    def crash(self, step):
        raise RuntimeError("the ball is gone")

    def die(self, step):
        print("a word before the end", flush=True)
        os._exit(7)

    def hang(self, step):
        time.sleep(1000)

    def nan(self, step):
        step.obs[0][0] = float("nan")

    def grow(self, step):
        step.state = [*step.state, 1.0]

    def stuck(self, step):
        step.legal[1] = False


class Loud(Line):
    """Prints much in every step, and then ends."""

    def step(self, action):
        print("x" * 400_000, flush=True)
        if self.time == 3:
            print("the last word", flush=True)
            os._exit(7)
        return super().step(action)


class Parent(Line):
    """Starts a process of its own, as StarCraft II's Python does."""

    def __init__(self, file):
        super().__init__()
        child = subprocess.Popen(["sleep", "1000"])
        with open(file, "a") as out:
            out.write(f"{os.getpid()} {child.pid}\n")


class Many:
    """Wrong in several ways at once."""

    def reset(self, seed):
        return ProcessStep(np.ones((2, 3)), np.ones(4), np.ones((2, 2)))

    def step(self, action):
        legal = np.ones((2, 2))
        legal[0] = 0
        return ProcessStep(
            np.full((2, 3), np.nan), np.ones(4), legal, won=2.0, ended=True, cut=True
        )


class PyMarlLine:
    """``Line`` with PyMARL's interface: ``step`` returns 3, 4 or 5 things."""

    def __init__(self, parts=3, seed=None, info=True):
        self.line, self.parts, self.first_seed = Line(), parts, seed
        self.rng = np.random.default_rng(seed)
        if info:
            self.get_env_info = lambda: {"episode_limit": 9}

    def reset(self):
        self.now = self.line.reset(int(self.rng.integers(100)))
        return self.get_obs(), self.get_state()

    def step(self, actions):
        assert all(type(a) is int for a in actions)
        self.now = self.line.step(np.array(actions))
        reward, over = self.now.reward, self.now.ended
        info = {"battle_won": bool(self.now.won)} if over else {}
        if self.parts == 3:
            return reward, over, info
        if self.parts == 4:
            return self.get_obs(), [reward / 2, reward / 2], [over, over], info
        return self.get_obs(), reward, False, over, info

    def get_obs(self):
        short, long = self.now.obs
        return [np.array(short[:2]), np.array(long)]

    def get_state(self):
        return np.array(self.now.state)

    def get_avail_actions(self):
        return self.now.legal.astype(int).tolist()


class Battle:
    """The interface of SMAC's ``StarCraft2Env``, with a battle of three against one: the
    enemy has 6 health, and kills one ally in every third step. Not StarCraft II."""

    def __init__(
        self,
        map_name,
        difficulty,
        step_mul,
        seed,
        replay_dir,
        continuing_episode=False,
        crash=0,
        **more,
    ):
        self.crash, self.more, self.replay_dir, self.saved = crash, more, replay_dir, 0
        self.continuing_episode = continuing_episode

    def get_env_info(self):
        return {"episode_limit": 5, "n_agents": 3, "n_actions": 7}

    def reset(self, config=None):
        self.config = config
        self.alive, self.enemy, self.time = np.ones(3, bool), 6, 0
        return self.get_obs(), self.get_state()

    def step(self, actions):
        for agent, action in enumerate(actions):
            assert self.get_avail_actions()[agent][action], "an action that is not legal"
        self.time += 1
        if self.crash and self.time == self.crash:
            return 0, True, {}
        self.enemy -= sum(a == 6 for a in actions)
        if self.time % 3 == 0 and self.alive.any():
            self.alive[np.argmax(self.alive)] = False
        won, late = self.enemy <= 0, self.time >= 5
        over = won or late or not self.alive.any()
        info = {"battle_won": won} if over else {}
        if over and late and not won and self.continuing_episode:
            info["episode_limit"] = True
        info |= {"dead_allies": int((~self.alive).sum()), "dead_enemies": int(won)}
        return 20.0 * won, over, info

    def get_obs(self):
        return [np.full(4, self.enemy * a, np.float32) for a in self.alive]

    def get_state(self):
        return np.array([*self.alive, self.enemy, self.time], np.float32)

    def get_avail_actions(self):
        return [[0, 1, 1, 1, 1, 1, 1] if a else [1, 0, 0, 0, 0, 0, 0] for a in self.alive]

    def save_replay(self):
        self.saved += 1

    def close(self):
        pass


class Foraging:
    """Agents with the interface of Level-Based Foraging: lists, rewards of each, and an end
    that is `terminated` where the time is up, too. Agent 1 has fewer actions than agent 0,
    and sees less. Both must stand on 0 to end it before."""

    _max_episode_steps = 5

    def __init__(self, action="discrete", agents=2, mask=False):
        from gymnasium import spaces

        self.agents, self.mask = agents, mask
        kinds = {
            "discrete": [spaces.Discrete(3), spaces.Discrete(2, start=1)],
            "continuous": [spaces.Box(0, 1, (2,))] * 2,
            "message": [spaces.MultiDiscrete([5, 2])] * 2,
        }
        self.action_space = spaces.Tuple(kinds[action][:agents])
        place = spaces.Box(0, 9, (1,))
        sees = [spaces.Dict({"own": place, "all": spaces.Box(0, 9, (2,))}), place]
        self.observation_space = spaces.Tuple(sees[:agents])

    def reset(self, seed=None, options=None):
        self.time = 0
        self.place = np.random.default_rng(seed).integers(1, 5, size=2)
        return self.sees(), self.info()

    def step(self, actions):
        assert all(type(a) is int for a in actions)
        self.time += 1
        self.place = np.clip(self.place - np.array(actions), 0, None)
        over = not self.place.any()
        rewards = [float(p == 0) for p in self.place]
        late = self.time >= self._max_episode_steps
        return self.sees(), rewards, over or late, False, {**self.info(), "won": over}

    def info(self):
        return {"action_mask": [[1, 1, 0], [1, 1]]} if self.mask else {}

    def sees(self):
        first = {"own": self.place[:1], "all": self.place}
        return (first, self.place[1:])[: self.agents]

    def close(self):
        pass


class Timed:
    """PettingZoo's parallel interface: one agent dies in the second step, the time of the
    others is over in the third. Actions are numbered from 5."""

    possible_agents = ("a", "b", "c")

    def __init__(self, empty=False):
        self.empty = empty

    def action_space(self, agent):
        from gymnasium import spaces

        return spaces.Discrete(3, start=5)

    def observation_space(self, agent):
        from gymnasium import spaces

        return spaces.Box(0, 9, (2,))

    def reset(self, seed=None, options=None):
        self.time, self.agents = 0, list(self.possible_agents)
        return self.show(self.agents)

    def step(self, actions):
        assert sorted(actions) == self.agents
        self.time += 1
        acted, late = self.agents, self.time == 3
        ended = {a: a == "b" and self.time == 2 for a in acted}
        cut = {a: late and not ended[a] for a in acted}
        self.agents = [a for a in acted if not (ended[a] or cut[a])]
        obs, infos = self.show(acted)
        return obs, {a: float(actions[a] == 6) for a in acted}, ended, cut, infos

    def show(self, agents):
        mask = [0, 0, 0] if self.empty and self.time == 3 else [1, 1, 0]
        obs = {a: [self.time + 1.0, ord(a)] for a in agents}
        return obs, {a: {"action_mask": mask} for a in agents}


class NoSeed(Line):
    """Gym's reset of old, which takes no seed."""

    def reset(self):
        return super().reset(0)


class Tuples(Line):
    """Returns what Gym's worlds do."""

    def reset(self, seed):
        step = super().reset(seed)
        return step.obs, {}


def raises():
    return 1 / 0
