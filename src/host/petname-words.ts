/**
 * The two lists of 256 words that petnames are made of: what grows, and what is woven. Fixed: a name that somebody wrote
 * down must stay that peer's name, so words are never added, taken out or moved.
 */
const split = (words: string): readonly string[] => words.trim().split(/\s+/)

export const growing = split(`
  acacia acer alder almond amber anise apple apricot arbor arbutus ash aspen aster autumn balsam bamboo banyan barley
  basil basswood bay beech birch black blossom blue bog boxwood bracken bramble brass breezy briar bright brisk broad
  bronze brook broom brown buckeye buckthorn burly calm cane carob cashew cassia catalpa cedar chalk cherry chestnut
  cinder citron clear clement clover coastal cobalt cold copper coral cork cotton cove crab crisp crown cumin currant
  cypress dale damson dapple date dawn deep dell dewy distant dogwood downy drift dry dune dusk dusty early ebony
  elder elm ember evening fawn fen fern field fig fir flax fleet flint foggy forest frost furze gentle ginger glade
  glen golden gorse granite green grove hale hardy harvest hawthorn hazel heath heather hedge hemlock hemp hickory
  hill hollow holly honey hornbeam indigo iris ironwood island ivory ivy jade jasmine juniper keen kelp kind larch
  laurel lavender leafy lean lemon lichen light lilac lime linden lively loam locust lofty lotus lucid mallow maple
  marsh meadow mellow mint mist mossy mulberry myrtle neat nettle nimble noble north nutmeg oak oaken oat olive palm
  pine poplar poppy privet quick quiet quince rain raven redwood ridge ripe river robin rocky rose rosewood rowan
  ruby russet rustic rye sage sandal sandy sapling sequoia shady sienna silent silver sloe smooth snowy solar south
  spruce stone sturdy sumac summer sunny supple swift sycamore tall tamarack tawny teak thistle thorn thyme tidal
  timber tulip umber upland valley velvet verdant vernal violet walnut warm wattle wheat white wild willow winter
  wych yarrow yew zephyr
`)

export const woven = split(`
  arras awning bale band basket basting batik batt beam bight binder blanket bobbin bodkin bolster bolt bonnet
  bouquet bow braid bridge brocade buckle burlap button calico cambric canopy canvas carder carpet chambray check
  chenille chintz cleat cloak cloth coil comb cone cord corduroy cowl crepe crewel crochet cuff curtain damask darn
  denim dent distaff dobby doily doublet dowel drape drawloom duffel dye edging eyelet fabric facing felloe felt
  fiber filet fillet flannel fleece float fold frame fray frieze fringe fuller gauze gimp gingham girdle gore grain
  grommet gusset hackle hank harness hasp heald heddle hem hitch hoop jacket jacquard jersey kerchief kilt knit knot
  lace lacing lap lapel lash lashing lattice lease linen lining lint loft loom loop lug mantle mat mesh mitten mohair
  mordant muslin napkin needle net netting nub pad paddle panel patch peg pennant pile pin pinion pirn pivot plaid
  plait pleat plush pocket pompom poncho poplin pouch quill quilt raddle raffia reed reel repp rib ribbon rigging
  rope rosette ruffle rug saddle sail sarong sash satchel sateen satin scarf scrim seam selvage serge shawl shed
  sheet shift shirt shuttle sickle silk skein skirt sleeve sley sliver slub smock spindle splice spool sprang square
  staple stay stitch strand strap stripe swatch taffeta tape tapestry tartan tassel tatting temple tenter tether
  thimble thread throw thrum thrums toggle toque tow treadle trellis truss tuck tuft tulle tunic tweed twill twine
  twist valance vat veil velour vest voile wadding waist wale warp web webbing weft weir wheel whip whorl wick winder
  wool worsted wrap yarn yoke
`)
