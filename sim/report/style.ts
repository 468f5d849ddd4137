/** How the page looks: by daylight, at night, and on paper. Colours never say anything alone. */
const light = `--bg:#fcfcfa;--card:#fff;--ink:#1b1d1f;--soft:#5c6268;--line:#e1e2de;--grid:#ecece8;--good:#12703f;--bad:#b3261e;--bar:#2f6fb5;
--s1:#1f6fc4;--s2:#b8541a;--s3:#0f7a5a;--s4:#8247b5;--s5:#8a6a00;--s6:#b8336a;--s7:#3d5a6c;--s8:#6b6b00;--on:#fff`
const dark = `--bg:#15171a;--card:#1c1f23;--ink:#e7e8e6;--soft:#9ba2a8;--line:#30353a;--grid:#282c31;--good:#5fce93;--bad:#ff8f85;--bar:#5d9ce0;
--s1:#6cabf7;--s2:#f0955c;--s3:#4fc9a0;--s4:#c096ef;--s5:#d8b548;--s6:#f27fab;--s7:#9db8c9;--s8:#c4c45a;--on:#15171a`

const series = Array.from({ length: 8 }, (_, index) => {
  const name = `s${index + 1}`
  return `.line.${name}{stroke:var(--${name})}.badge.${name}{fill:var(--${name})}.node.${name}{fill:var(--${name});stroke:var(--${name})}`
}).join('')

export const style = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:54rem;margin:0 auto;padding:2.2rem 1.2rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.18rem;line-height:1.3;margin:0 0 .15rem;overflow-wrap:anywhere}
p{margin:.3rem 0;overflow-wrap:anywhere}
.about{color:var(--soft);font-size:1.05rem;margin:.35rem 0 0}
.facts{color:var(--soft);font-size:.9rem;margin:.35rem 0 1.2rem}
.verdict{border:1px solid var(--line);border-left:6px solid var(--good);background:var(--card);border-radius:6px;padding:.7rem 1rem;margin:0 0 1rem;font-size:1.05rem}
.verdict.bad{border-left-color:var(--bad)}
.verdict strong{color:var(--good)}.verdict.bad strong{color:var(--bad)}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:0 0 1.6rem;padding:0;list-style:none}
.numbers li{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.55rem .8rem}
.numbers b{display:block;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.3}
.numbers span{overflow-wrap:anywhere;color:var(--soft);font-size:.85rem;line-height:1.3;display:block}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem 1.2rem 1.1rem;margin:0 0 1.1rem}
.read{color:var(--soft);margin:0 0 .8rem;max-width:44rem}
.read b{color:var(--ink);font-weight:600}
nav{font-size:.9rem;margin:0 0 1.2rem}nav a{color:inherit;margin-right:1rem;display:inline-block;max-width:100%;overflow-wrap:anywhere}
figure{margin:0}
.plot{display:block;width:100%;height:auto;overflow:visible}
.scroll{overflow-x:auto;margin-top:.7rem}.scroll>.plot{min-width:32rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{text-align:left;padding:.28rem .9rem .28rem 0;border-top:1px solid var(--grid);vertical-align:top;overflow-wrap:break-word}
td:last-child,th:last-child{padding-right:0}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:.82rem;overflow-wrap:normal}
tbody th{font-weight:500}
section.promises td{min-width:7rem}
td.n{text-align:right;white-space:nowrap}
thead th.n{text-align:right}
@media(min-width:40rem){.name{white-space:nowrap}}
.ok{color:var(--good);font-weight:600;white-space:nowrap}.no{color:var(--bad);font-weight:600;white-space:nowrap}
.none{color:var(--soft);font-style:italic}
ul.plain{margin:.2rem 0 0;padding-left:1.1rem}
pre{margin:.5rem 0 0;padding:.7rem .9rem;background:var(--bg);border:1px solid var(--line);border-radius:6px;overflow-x:auto;font:.82rem/1.45 ui-monospace,SFMono-Regular,Menlo,"Liberation Mono",monospace}
pre.wrap{white-space:pre-wrap;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem;margin:.4rem 0 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.swatch{vertical-align:-.22em;margin-right:.55rem;flex:none}
.graphs{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem}
.graph{max-width:26rem;width:100%;margin:0 auto}
figcaption{text-align:center;color:var(--soft);font-size:.9rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.5rem 0 0;font-size:.9rem}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .label{fill:var(--ink);font-size:13px}svg .axis{font-size:12px}svg .lane{font-size:11px}
.mid{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--grid);fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line:hover{stroke-width:4}
svg .badge-text{text-anchor:middle;fill:var(--on);font-size:10.5px;font-weight:700;pointer-events:none}
.badge{stroke:var(--card);stroke-width:1}
.bar{fill:var(--bar)}.mark{fill:var(--bad)}
.edge{fill:none;stroke:var(--soft);stroke-width:.8}
.node{stroke-width:1.5}.cross{stroke:var(--ink);stroke-width:1}
${series}
.node.node.dead{fill:var(--card)}
@media print{:root{${light}}body{font-size:11pt}main{max-width:none;padding:0}section,.verdict,.numbers li{break-inside:avoid;border-color:#bbb}nav{display:none}
section{break-inside:auto}figure,.plot,tr{break-inside:avoid}h2,.read{break-after:avoid}pre{white-space:pre-wrap}}
`
