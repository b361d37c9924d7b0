"""The model that plays, and the parameters that belong to the instrument rather than to a preset."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton

from synth_app.core.params import PARAMS
from synth_app.ui.bridge import Bridge
from synth_app.ui.dialogs.page import Page, show_choice
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import Theme
from synth_app.ui.view_models.params import tr_param
from synth_app.ui.widgets.base import caption
from synth_app.ui.widgets.sliders import ParamRow


class SoundPage(Page):
    """Model, provider, polyphony and the like.

    Signals:
        model_wanted(str, str): play on this model, on this provider. The answer comes by :meth:`model_answered`.
    """

    model_wanted = pyqtSignal(str, str)

    def __init__(
        self,
        theme: Theme,
        bridge: Bridge,
        settings: PanelSettings,
        models: tuple[str, ...],
        providers: tuple[str, ...],
    ) -> None:
        super().__init__(theme, bridge, settings)
        self.model, self.provider = self.chooser(self.tr("Model")), self.chooser(self.tr("Computed on"))
        self.model.addItem(self.tr("The default model"), "")
        for name in models:
            self.model.addItem(name, name)
        for name in providers:
            self.provider.addItem(self.tr("The fastest at hand") if name == "auto" else name.upper(), name)
        self.apply = QPushButton(self.tr("Use this model"))
        self.apply.setProperty("role", "primary")
        self.apply.clicked.connect(self._want_model)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)  # how long it takes is not known beforehand
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Opening the model"))
        self.progress.hide()
        self.answer = caption("")
        self.answer.setWordWrap(True)
        form = self.form()
        form.addRow(self.tr("Model"), self.model)
        form.addRow(self.tr("Computed on"), self.provider)
        row = QHBoxLayout()
        row.addWidget(self.apply)
        row.addWidget(self.progress, 1)
        row.addStretch(1)
        form.addRow("", row)
        form.addRow("", self.answer)
        self.params: dict[str, ParamRow] = {}
        for spec in PARAMS.values():
            if not spec.in_patch:
                row = self.params[spec.name] = ParamRow(spec)
                row.moved.connect(self._set_param)
                row.slider.setToolTip(tr_param(spec.help))
                form.addRow(row)
        self.show_settings()
        bridge.trouble.connect(self._failed)

    def show_settings(self) -> None:
        show_choice(self.model, self.settings.model)
        show_choice(self.provider, self.settings.provider)
        for name, row in self.params.items():
            row.set_value(self.settings.params.get(name, PARAMS[name].default))

    def _set_param(self, name: str, value: float) -> None:
        self.bridge.param(name, value)
        self.choose(params={**self.settings.params, name: value})

    # ------------------------------------------------------------------ the model
    def _want_model(self) -> None:
        self.apply.setEnabled(False)
        self.progress.show()
        self.answer.setText(self.tr("Opening; until then the present model plays on."))
        self.model_wanted.emit(self.model.currentData() or "", self.provider.currentData() or "auto")

    def model_answered(self, text: str) -> None:
        """The model plays, or it could not be opened."""
        self.apply.setEnabled(True)
        self.progress.hide()
        self.answer.setText(text)
        self.show_settings()

    def _failed(self, text: str) -> None:
        if not self.apply.isEnabled():
            self.model_answered(text)
