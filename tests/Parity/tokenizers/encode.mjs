// node encode.mjs MODULES LINES.json OUT.txt PACKAGE: the ids of each line by @lenml/tokenizers with PACKAGE's files, one line of numbers each.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , modules, input, output, name] = process.argv;
const require = createRequire(pathToFileURL(join(modules, "package.json")));
const { TokenizerLoader } = require("@lenml/tokenizers");
const folder = join(modules, "node_modules", name, "models");
const read = (file) => JSON.parse(readFileSync(join(folder, file), "utf8"));
const tokenizer = TokenizerLoader.fromPreTrained({ tokenizerJSON: read("tokenizer.json"), tokenizerConfig: read("tokenizer_config.json") });
const lines = JSON.parse(readFileSync(input, "utf8"));
const start = performance.now();
const ids = lines.map((line) => tokenizer.encode(line.toWellFormed()).join(" "));
console.log(((performance.now() - start) / 1000).toFixed(3));
writeFileSync(output, ids.join("\n"));
