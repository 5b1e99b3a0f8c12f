// node tiktoken.mjs MODULES FOLDER TEXTS.json: for each of OpenAI's vocabularies the ids of each text by js-tiktoken (ENCODING.ids.json), and the vocabulary as a .tiktoken file.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , modules, folder, input] = process.argv;
const require = createRequire(pathToFileURL(join(modules, "package.json")));
const { getEncoding } = require("js-tiktoken");
const texts = JSON.parse(readFileSync(input, "utf8"));
for (const name of ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"]) {
  const encoding = getEncoding(name);
  writeFileSync(join(folder, `${name}.ids.json`), JSON.stringify(texts.map((text) => encoding.encode(text, [], []))));
  const ranks = require(`js-tiktoken/ranks/${name}`).default ?? require(`js-tiktoken/ranks/${name}`);
  const lines = [];
  for (const line of ranks.bpe_ranks.split("\n").filter(Boolean)) {
    const [, offset, ...tokens] = line.split(" ");
    tokens.forEach((token, i) => lines.push(`${token} ${Number(offset) + i}`));
  }
  writeFileSync(join(folder, `${name}.tiktoken`), lines.join("\n") + "\n");
}
