// The methods of a tensor are made from modules of functions while the program runs, their types from the same modules:
// a function that serves inside only must be in neither.
import * as path from 'node:path';
import ts from 'typescript';
import { Tensor } from '../../lib/index.js';

const root = path.resolve(__dirname, '..', '..');

/** What TypeScript knows of Tensor: names of methods and accessors, without those that are marked as internal. */
function declared(): { visible: string[]; internal: string[] } {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([path.join(root, 'lib/index.ts')], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(path.join(root, 'lib/index.ts')) as ts.SourceFile;
  const exports = checker.getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol);
  const alias = exports.find(({ name }) => name === 'Tensor') as ts.Symbol;
  const tensor = checker.getDeclaredTypeOfSymbol(checker.getAliasedSymbol(alias));
  const names = { visible: [] as string[], internal: [] as string[] };
  for (const property of checker.getPropertiesOfType(tensor)) {
    const isField = property.declarations?.some((d) => ts.isPropertyDeclaration(d) || ts.isParameter(d));
    if (isField || property.name.startsWith('__@')) continue; // symbols
    const tags = property.getJsDocTags(checker).map(({ name }) => name);
    names[tags.includes('internal') ? 'internal' : 'visible'].push(property.name);
  }
  return names;
}

test('a tensor has the methods that its type has, and no others', () => {
  const { visible, internal } = declared();
  const there = Object.getOwnPropertyNames(Tensor.prototype).filter((name) => name !== 'constructor');
  expect([...visible, ...internal].sort()).toEqual(there.sort());
  // What the engine's other parts need of the class, which published types leave out.
  expect(internal.sort()).toEqual(['alias', 'attach', 'bytes', 'revived']);
  expect(visible).toEqual(expect.arrayContaining(['add', 'conv2d', 'reshape', 'view', 'fill_', 'data', 'device']));
}, 60_000);
