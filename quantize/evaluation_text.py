"""Biomedical English to evaluate with where a user gives no text: written for it, none of it calibrated on."""

_PASSAGES = """
Warfarin blocks the recycling of vitamin K, on which several clotting factors depend. Its effect varies with diet,
other drugs and genes, so the international normalized ratio is measured regularly. Bleeding is its main danger.

Insulin binds to a receptor with tyrosine kinase activity and lets muscle and fat take up glucose. In type 1 diabetes
the beta cells of the pancreas are destroyed by the immune system, and insulin must be replaced for life.

Background: Delirium is common in older patients after surgery of the hip. Methods: We followed 312 patients over the
age of 70 years. Results: Delirium occurred in 27% and was associated with longer stay and higher mortality.
Conclusion: Patients at risk should be identified before the operation.

Staphylococcus aureus colonizes the nose of about a third of healthy adults. Strains that carry the mecA gene are
resistant to methicillin and most other beta-lactam antibiotics, and are often treated with vancomycin.

The p53 protein halts the cell cycle when DNA is damaged and can lead to apoptosis. Its gene is mutated in about half
of all human cancers. Mice without it develop tumors early in life.

A 54-year-old man presented with chest pain and shortness of breath. The electrocardiogram showed elevation of the ST
segment, and troponin was raised. He was treated with aspirin, heparin and percutaneous coronary intervention.

Cisplatin forms links between neighbouring guanines and so prevents replication. Nephrotoxicity limits its dose;
hydration and magnesium reduce the risk. Hearing loss may be permanent, especially in children.

Is the measurement of procalcitonin useful in patients with suspected sepsis? Levels rise within hours of a bacterial
infection and fall with treatment. They may help to decide when antibiotics can be stopped.

Statins inhibit HMG-CoA reductase and thereby lower low-density lipoprotein cholesterol in plasma. Muscle pain is the
complaint most often reported. Rhabdomyolysis is rare but serious, and is more likely with interacting drugs.

In rats, chronic administration of the compound decreased the expression of tumor necrosis factor alpha in the
hippocampus and improved performance in the Morris water maze. No effect was seen on locomotor activity.

Cystic fibrosis is caused by mutations in the gene of a chloride channel. The most frequent one deletes a
phenylalanine, so that the protein is misfolded and degraded. Modulators restore part of its function.

Objective: To compare two doses of dexamethasone for the prevention of nausea after laparoscopic surgery. Nausea
occurred in 18 of 96 patients with the lower and in 15 of 95 patients with the higher dose (P = 0.61).

Hepatitis C virus is an RNA virus that is transmitted mainly by blood. Chronic infection may lead to cirrhosis and
hepatocellular carcinoma. Direct-acting antivirals now cure more than nine of ten patients.

Lithium remains a standard treatment of bipolar disorder. Its concentration in serum must be monitored, because the
range between effect and toxicity is narrow. Thyroid and renal function should be checked every year.

Dendritic cells take up antigen in the tissue, migrate to the lymph node and present peptides to T cells. Without
costimulation the T cell becomes anergic rather than activated.

The kidney filters about 180 litres of plasma a day, of which nearly all is reabsorbed. Angiotensin constricts the
efferent arteriole, which is why its inhibitors lower the pressure in the glomerulus and reduce proteinuria.
"""

EVALUATION_TEXTS = tuple(" ".join(passage.split()) for passage in _PASSAGES.strip().split("\n\n"))
