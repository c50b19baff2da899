/**
 * The first name that occurs twice in one object of a JSON text, or undefined. `JSON.parse` keeps the last of two and says
 * nothing. The text must be valid JSON.
 */
export function duplicateKey(json: string): string | undefined {
  // Strings and brackets are all that matters. The string pattern is unrolled: an alternation inside a star would exhaust
  // the matcher's stack on a long string.
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/g;
  const colon = /\s*:/y;
  const open: (Set<string> | undefined)[] = [];
  for (let match = token.exec(json); match !== null; match = token.exec(json)) {
    const [text] = match;
    if (text === '{') open.push(new Set());
    else if (text === '[') open.push(undefined);
    else if (text === '}' || text === ']') open.pop();
    else {
      colon.lastIndex = token.lastIndex;
      if (!colon.test(json)) continue;
      // Compared after unescaping: "a" and "\u0061" are one name.
      const key = JSON.parse(text) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
