"""Biomedical English to calibrate with where a user gives no text: plain facts, written for this purpose."""

CALIBRATION_TEXTS = (
    (
        "Aspirin irreversibly inhibits cyclooxygenase in platelets, which lowers the formation of thromboxane A2. "
        "Because platelets have no nucleus, the effect lasts for their whole life of about ten days. Low doses are "
        "given after myocardial infarction to prevent another event."
    ),
    (
        "Metformin lowers the production of glucose in the liver and is the first drug for most patients with type 2 "
        "diabetes. It seldom causes hypoglycemia, but it should be used with care in renal failure. Gastrointestinal "
        "complaints are its most common adverse effect."
    ),
    (
        "The BRCA1 protein takes part in the repair of double-strand breaks by homologous recombination. Women who "
        "carry a pathogenic variant have a high lifetime risk of breast and ovarian cancer. Tumors that lack the "
        "protein respond to inhibitors of poly(ADP-ribose) polymerase."
    ),
    (
        "Methods: We enrolled 148 patients (mean age 61.4 years, 52% women) in a randomized, double-blind trial. The "
        "primary endpoint was the change in systolic blood pressure after 12 weeks. Results: Pressure fell by 9.2 "
        "mmHg with treatment and by 2.7 mmHg with placebo (P < 0.001)."
    ),
    (
        "Mycobacterium tuberculosis survives inside macrophages, where it prevents the fusion of phagosome and "
        "lysosome. Isoniazid and rifampicin are the core of treatment, and resistance to both defines multidrug "
        "resistance. Hepatotoxicity must be watched for in all patients."
    ),
    (
        "Neurons communicate at synapses, where an action potential opens calcium channels and vesicles release their"
        " transmitter. Glutamate is the main excitatory transmitter in the brain, and GABA the main inhibitory one. "
        "Many antiepileptic drugs strengthen the latter."
    ),
    (
        "Warfarin blocks the recycling of vitamin K and so the synthesis of factors II, VII, IX and X. Its dose "
        "depends on variants of CYP2C9 and VKORC1 and on other drugs that the patient takes. Bleeding is treated with"
        " vitamin K or prothrombin complex."
    ),
    (
        "In mice that lack the leptin receptor, food intake rises and body weight doubles within weeks. Injection of "
        "leptin into normal mice has the opposite effect, which shows that the signal acts in the hypothalamus. "
        "Plasma insulin and glucose were measured after a fast of six hours."
    ),
    (
        "Conclusion: These findings suggest that early treatment reduces the risk of acute kidney injury after "
        "surgery. Larger studies are needed to confirm the benefit in patients with chronic disease."
    ),
)
