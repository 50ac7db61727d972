// A miner: its work, its workers, its money.

import { pathParts } from "../api.js";
import { showMiner } from "../miner.js";

showMiner(pathParts()[1] ?? "");
