"""Biomedical English to search with where a user gives no text: written for it, and evaluated on by none."""

_PASSAGES = """
Methotrexate inhibits dihydrofolate reductase and is taken once a week for rheumatoid arthritis. Folic acid reduces
stomatitis and the rise of liver enzymes without a loss of efficacy. The drug is excreted by the kidney, so that
dehydration, renal failure or trimethoprim may lead to pancytopenia. It is teratogenic, and contraception is required
for both women and men during treatment.

We report the case of a 9-year-old girl with fever, a strawberry tongue and swelling of the cervical lymph nodes.
Echocardiography showed dilatation of the left coronary artery. She received intravenous immunoglobulin and aspirin,
and the fever resolved within 36 hours. Kawasaki disease should be considered in every child with prolonged fever,
because early treatment lowers the risk of aneurysms.

The sodium-potassium pump moves three sodium ions out of the cell and two potassium ions into it for each molecule of
ATP. The gradient that it maintains drives the uptake of glucose and amino acids in the gut and the kidney. Cardiac
glycosides such as digoxin bind to its alpha subunit. As intracellular sodium rises, less calcium leaves the cell, and
the force of contraction increases.

Background: Whether vitamin D prevents falls in elderly people is uncertain. Methods: In this multicenter trial 1,204
residents of nursing homes were assigned to cholecalciferol or placebo for two years. Results: The rate of falls was
1.31 per person-year with cholecalciferol and 1.28 with placebo (hazard ratio 1.02; 95% CI 0.91 to 1.14). Conclusions:
Supplementation did not reduce falls in this population.

Plasmodium falciparum invades erythrocytes and exports proteins to their surface, which makes them stick to the walls
of small vessels. Sequestration in the brain leads to coma and seizures. Artemisinin derivatives clear parasites
faster than quinine and are combined with a partner drug of longer half-life. Mutations in the kelch13 gene are
associated with delayed clearance in Southeast Asia.

Adipose tissue is more than a store of energy. It secretes leptin, adiponectin and several cytokines, and its
macrophages increase in number with obesity. Tumor necrosis factor alpha phosphorylates serine residues of the insulin
receptor substrate and thereby impairs signaling. Weight loss of five to ten percent improves insulin sensitivity in
most patients.

To determine the role of microRNA-21 in cardiac fibrosis, we transfected primary fibroblasts with an inhibitor and
measured the expression of collagen by quantitative PCR. Knockdown decreased the level of collagen I mRNA by 48%
compared with control cells (P = 0.003). Western blotting showed that phosphorylation of ERK was reduced as well.
These results suggest that microRNA-21 promotes fibrosis through the ERK pathway.

Heparin accelerates the inactivation of thrombin and factor Xa by antithrombin. In a small share of patients
antibodies against complexes of heparin and platelet factor 4 activate platelets, and thrombosis occurs in spite of a
low platelet count. All heparin must then be stopped, and a direct thrombin inhibitor such as argatroban is given
instead.

Multiple sclerosis is a chronic inflammatory disease of the central nervous system. Magnetic resonance imaging shows
lesions in the periventricular white matter, the brain stem and the spinal cord. Interferon beta reduces the number of
relapses by about a third. Natalizumab is more effective but carries a risk of progressive multifocal
leukoencephalopathy, mainly in patients who are positive for antibodies against the JC virus.

Objective: To compare laparoscopic with open appendectomy in adults. Data from 418 operations were reviewed. The
duration of surgery was longer in the laparoscopic group (62 versus 49 minutes), whereas wound infections were less
frequent (2.9% versus 7.4%). There was no difference in intra-abdominal abscess or in the cost of treatment. The
laparoscopic approach is a safe alternative when an experienced surgeon is available.

Influenza viruses carry eight segments of RNA. When two strains infect the same cell, segments are exchanged, and a
virus with a new hemagglutinin may appear, against which few people have antibodies. Oseltamivir inhibits
neuraminidase and shortens the illness by about a day if it is begun within 48 hours. Vaccination is advised every
year for the elderly and for health care workers.

Oxygen binds to hemoglobin cooperatively, so that the dissociation curve is sigmoid. A fall in pH, a rise in
temperature and 2,3-bisphosphoglycerate shift it to the right, which favors the release of oxygen in working muscle.
Carbon monoxide binds with an affinity more than two hundred times that of oxygen and shifts the curve to the left.

Schizophrenia affects nearly one percent of the population. Twin studies show a heritability of about 80%, and
genome-wide association studies have found more than a hundred loci, each of small effect. All effective antipsychotic
drugs block dopamine D2 receptors. Clozapine is reserved for patients who do not respond to two others, because it may
cause agranulocytosis.

The transcription factor NF-kappaB is held in the cytoplasm by its inhibitor. Stimulation with lipopolysaccharide
leads to phosphorylation and degradation of the inhibitor, and NF-kappaB moves into the nucleus, where it activates
genes of interleukin-6, interleukin-8 and adhesion molecules. Glucocorticoids interfere with this pathway at several
points, which explains part of their anti-inflammatory effect.

Preterm infants of less than 32 weeks often lack surfactant, and their alveoli collapse at the end of expiration.
Corticosteroids given to the mother before birth speed the maturation of the lung. Surfactant of animal origin is
instilled through the tracheal tube soon after birth. Continuous positive airway pressure is preferred to mechanical
ventilation where the infant breathes by itself.

We investigated the pharmacokinetics of voriconazole in 24 healthy volunteers with different CYP2C19 genotypes. The
area under the curve was four times higher in poor metabolizers than in extensive metabolizers. Coadministration of
omeprazole increased the exposure by 41%, and rifampicin decreased it by more than 90%. Therapeutic drug monitoring is
recommended, since both toxicity and failure of treatment depend on the trough concentration.

Osteoporosis is defined by a bone mineral density of 2.5 standard deviations or more below the mean of young adults.
Bisphosphonates inhibit osteoclasts and halve the risk of vertebral fracture. Denosumab, an antibody against RANKL, is
given by subcutaneous injection every six months; when it is stopped, bone is lost rapidly, so another drug must
follow.

Does early physiotherapy shorten the stay after replacement of the knee? Of 186 patients, 94 were mobilized on the day
of the operation and 92 on the day after it. The median stay was three days in the first group and four in the second.
Pain at rest, range of motion and the rate of complications did not differ. Early mobilization appears to be feasible
in most patients.

Escherichia coli O157:H7 produces Shiga toxin, which injures the endothelium of the kidney. One to two weeks after
bloody diarrhea, hemolytic anemia, thrombocytopenia and renal failure may develop, above all in young children.
Antibiotics are generally avoided because they may increase the release of toxin. Treatment is supportive, and half of
the patients need dialysis.

The epidermal growth factor receptor is mutated in about 15% of lung adenocarcinomas in Europe and in up to half of
those in East Asia. Deletions in exon 19 and the L858R substitution predict a response to gefitinib and erlotinib.
Resistance develops after about a year, most often through the T790M mutation, which osimertinib overcomes.

Iron deficiency is the most frequent cause of anemia worldwide. Serum ferritin is low, transferrin is high, and the
erythrocytes are small and pale. Oral ferrous sulfate is absorbed best on an empty stomach, although many patients
take it with food because of nausea. In men and in women after menopause a source of bleeding in the gastrointestinal
tract must be sought.

Rats were trained in the Morris water maze after bilateral injection of ibotenic acid into the hippocampus. Lesioned
animals needed longer to find the hidden platform on all days, while their swimming speed was normal. With a visible
platform both groups performed equally. The hippocampus is therefore necessary for spatial memory but not for vision
or motivation.

Asthma is characterized by variable obstruction of the airways and by inflammation in which eosinophils, mast cells
and T helper 2 lymphocytes take part. Inhaled corticosteroids are the basis of treatment at nearly every step.
Long-acting beta agonists are added when symptoms persist, and antibodies against interleukin-5 or immunoglobulin E
are options in severe disease.

Genome editing with CRISPR-Cas9 relies on a guide RNA of twenty nucleotides that directs the nuclease to its target
next to a short motif. The break is repaired either by end joining, which leaves small insertions or deletions, or by
homologous recombination if a template is present. Cuts at unintended sites can be reduced by engineered variants of
the enzyme with higher fidelity.

Sepsis was diagnosed in 311 of 2,870 admissions to the intensive care unit. Mortality at 28 days was 24.8%. In
multivariate analysis age, serum lactate, need for vasopressors and chronic liver disease were independent predictors
of death. Each hour of delay in the administration of antibiotics was associated with an increase in mortality. A
simple score of these variables had an area under the curve of 0.81.

Parkinson disease results from the loss of dopaminergic neurons in the substantia nigra. The remaining neurons contain
Lewy bodies, which consist largely of alpha-synuclein. Levodopa relieves bradykinesia and rigidity, and carbidopa
prevents its conversion outside the brain. After several years most patients have dyskinesias, and deep brain
stimulation of the subthalamic nucleus may then be offered.

Vancomycin-resistant enterococci carry the vanA or vanB gene cluster, whose products replace the terminal D-alanine of
peptidoglycan precursors by D-lactate. Linezolid and daptomycin are active against most isolates. Screening by rectal
swab, isolation of carriers and careful hygiene of the hands limit the spread within hospitals.

In patients with type 2 diabetes and established cardiovascular disease, empagliflozin lowered the rate of death from
cardiovascular causes by 38% compared with placebo. Hospitalization for heart failure was reduced as well. The drug
blocks the reabsorption of glucose in the proximal tubule. Genital infections were more frequent, and ketoacidosis was
rare.
"""

SEARCH_TEXTS = tuple(" ".join(passage.split()) for passage in _PASSAGES.strip().split("\n\n"))
