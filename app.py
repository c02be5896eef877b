"""The entry point of the app: `streamlit run app.py`."""

import streamlit as st

from ui import frame, garbage_collection

st.set_page_config(
    page_title="Melanoma: referral threshold for dermoscopic photographs",
    page_icon=frame.ASSETS / "icon.png",
    layout="wide",
)
garbage_collection.start()
frame.show_logo()
page = st.navigation(
    {
        "Clinic": [
            st.Page("pages/assess.py", title="Assess", icon=":material/search:", default=True)
        ],
        "Data": [
            st.Page("pages/explore.py", title="Explore", icon=":material/grid_view:"),
            st.Page("pages/doctor.py", title="Data doctor", icon=":material/fact_check:"),
        ],
        "Laboratory": [
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/models.py", title="Models", icon=":material/inventory_2:"),
            st.Page("pages/lessons.py", title="Lessons", icon=":material/school:"),
            st.Page("pages/about.py", title="About", icon=":material/info:"),
        ],
    },
    expanded=True,
)
page.run()
frame.show_notice()  # after the page, which loads the model that the notice names
