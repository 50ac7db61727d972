// A miner: its work, its workers, its money. By its name, or by a link of its owner.

import { showMiner } from "../miner.js";
import { showNamed } from "../watched.js";

await showNamed(showMiner);
